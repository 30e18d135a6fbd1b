"""Speed, as ratios in one run on one machine. `make bench` runs every module here that has a main()."""
