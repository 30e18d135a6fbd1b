"""The Village Simulator: seeded lives of three villages, with the power going off in the middle (docs/simulator.md).

world.py builds the villages; model.py is the prediction in plain Python; deeds*.py are what people do, and what
should come of it; perform*.py carries a deed out with the real actions inside a worker process; power.py keeps the
workers, kills them and takes their connections away; checks.py looks after every step; run.py is the driver.
"""
