"""What rankings are made of: harm rates by benchmark, grader and rung."""
