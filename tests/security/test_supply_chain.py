"""What ships is locked by hash, listed in the bill of materials, and holds no credential."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Figure

PROJECT = Path(__file__).parents[2]
LISTS = ["layers/dependencies/requirements.txt", "requirements/uv.txt", "requirements/sam.txt"]


def packages(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", LISTS)
def test_every_package_is_pinned_with_its_hashes(name: str) -> None:
    text = (PROJECT / name).read_text()
    entries = [entry for entry in re.split(r"\n(?=\S)", text.strip()) if not entry.startswith("#")]
    assert entries
    assert [entry.split()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_the_bill_of_materials_names_what_ships(tmp_path: Path, figure: Figure) -> None:
    made = tmp_path / "sbom.json"
    subprocess.run([sys.executable, "scripts/bill_of_materials.py", str(made)], cwd=PROJECT, check=True)
    bill = json.loads(made.read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    named = {each["name"]: each["version"] for each in bill["components"]}
    shipped = packages((PROJECT / LISTS[0]).read_text())
    assert {name.lower() for name in shipped} <= {name.lower() for name in named}
    assert all(each["purl"].startswith("pkg:pypi/") for each in bill["components"])
    figure(f"supply chain: {len(shipped)} packages ship, all locked by hash and in the bill of materials")


def test_no_credential_is_under_version_control() -> None:
    done = subprocess.run([sys.executable, "scripts/find_secrets.py"], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
