"""What the figures were measured on."""

import platform
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil


def describe() -> dict[str, Any]:
    return {
        "cpu": _cpu(),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "measured_at": datetime.fromtimestamp(time.time()).astimezone().isoformat("T", "seconds"),  # noqa: TID251
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if "model name" in line), "unknown"
    )
