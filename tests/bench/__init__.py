"""What is promised of speed and size, measured as ratios within one run."""
