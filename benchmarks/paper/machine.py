"""What results were made on and with: machine, versions, commit."""

import os
import platform
import subprocess
from contextlib import suppress
from pathlib import Path

import duckdb
import numpy as np
import scipy

import imputedb


def facts() -> dict[str, str]:
    """Names and values, as text."""
    told = {
        "imputedb": imputedb.__version__,
        "commit": _commit(),
        "DuckDB": duckdb.__version__,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "SciPy": scipy.__version__,
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": _memory(),
    }
    with suppress(OSError, AttributeError):
        told["load average at the start"] = f"{os.getloadavg()[0]:.1f}"
    return told


def _commit() -> str:
    """The commit of the checkout that this code is in, with a word when something in it was changed."""
    here = Path(__file__).parent
    found = []
    for command in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "--", "."]):
        try:
            ran = subprocess.run(["git", *command], cwd=here, capture_output=True, text=True, check=False)
        except OSError:
            return "unknown"
        if ran.returncode:
            return "none: an installed package"
        found.append(ran.stdout.strip())
    return found[0] + (" and changes" if found[1] else "")


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return "unknown"
    return f"{size / 2**30:.0f} GiB"
