import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # fits are of small matrices: more threads only wait for each other
