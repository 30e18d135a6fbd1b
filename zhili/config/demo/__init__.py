"""演示: one invented village with one full year of points, made by the real actions from a fixed seed."""
