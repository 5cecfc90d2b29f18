"""Where what is generated lies."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "contract" / "golden"
SAMPLES = ROOT / "tests" / "contract" / "samples"
API = ROOT / "docs" / "api"
METERS = ROOT / "docs" / "meters.md"
