import sys

sys.path.append("/work/main/src")
