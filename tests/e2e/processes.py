"""Processes that end with the tests."""

import ctypes
import os
import signal
import subprocess

STOP_SECONDS = 10
PR_SET_PDEATHSIG = 1


def end_with_parent():
    """Makes Linux end this process when its parent has died, even if the parent was killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def stop(process):
    """Ends a process and all that it started."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
