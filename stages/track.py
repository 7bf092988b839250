"""Mirror the finished results of the suite into MLflow. Results that are already logged are skipped.

As every run ends with this stage, it also makes DVC keep the files of results outside the suite.
"""

from aebench import errors
from aebench.pipeline import dvc_links
from aebench.tracking import mirror

if __name__ == "__main__":
    with errors.one_line():
        dvc_links.keep_files()
        print(mirror.mirror().summary)
