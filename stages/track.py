"""Mirror the finished results of the suite into MLflow. Results that are already logged are skipped."""

from aebench import errors
from aebench.tracking import mirror

if __name__ == "__main__":
    with errors.one_line():
        print(mirror.mirror().summary)
