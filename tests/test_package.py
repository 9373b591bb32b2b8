"""The wheel: it holds everything that the program reads, and works in an empty environment."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA_FOLDERS = ("ontology", "shapes", "trials", "registry", "examples")
BUILT_FROM = (*DATA_FOLDERS, "src", "LICENSES", "LICENSE", "NOTICE", "README.md", "pyproject.toml", "setup.py")
LEFTOVERS = shutil.ignore_patterns("__pycache__", "*.egg-info")


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command to its end and return what it printed; AssertionError with its complaint where it failed."""
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from a copy, so that the checkout stays as it is."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=LEFTOVERS)
        else:
            shutil.copy(ROOT / name, source / name)
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", folder, source, cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def program(wheel, tmp_path_factory) -> Path:
    """The `sle-kg` command of an environment that holds the wheel and otherwise only its dependencies."""
    environment = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=environment)
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", wheel, cwd=environment)
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=environment).strip()
    (Path(packages) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin" / "sle-kg"


def files_below(folder: Path) -> set[str]:
    """Paths of all files below a folder, relative to it, without what Python leaves behind."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in files}


def test_the_wheel_holds_the_package_and_the_data_and_nothing_else(wheel):
    code = {f"sle_kg/{name}" for name in files_below(ROOT / "src" / "sle_kg")}
    data = {f"sle_kg/data/{folder}/{name}" for folder in DATA_FOLDERS for name in files_below(ROOT / folder)}
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == code | data


def test_the_wheel_holds_both_licences_and_the_notice(wheel):
    names = {name.split(".dist-info/licenses/")[-1] for name in zipfile.ZipFile(wheel).namelist()}
    assert {"LICENSE", "LICENSES/CC-BY-4.0.txt", "NOTICE"} <= names


OF_TWO_PATIENTS = """
import sys
from sle_kg import demo
from sle_kg.cli import main
everybody = demo.example_files
demo.example_files = lambda: everybody()[:2]
sys.argv = ["sle-kg", "demo"]
main()
"""


@pytest.mark.parametrize("code", [OF_TWO_PATIENTS, pytest.param(None, marks=pytest.mark.slow)], ids=["two", "all"])
def test_the_installed_program_runs_the_demo_in_another_folder(program, tmp_path, code):
    command = (program, "demo") if code is None else (program.with_name("python"), "-c", code)
    printed = run(*command, cwd=tmp_path)
    assert "NCT06892145" in printed
    assert {path.suffix for path in (tmp_path / "sle-kg-demo").iterdir()} == {".html", ".ttl"}


def test_the_installed_program_reads_its_own_data_and_not_the_checkout(program, tmp_path):
    code = "from sle_kg.resources import path; print(path('trials'))"
    printed = run(program.with_name("python"), "-c", code, cwd=tmp_path)
    assert Path(printed.strip()).is_relative_to(program.parents[1])
