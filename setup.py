"""Puts the project's data folders into the wheel, beside the code that reads them (src/sle_kg/resources.py)."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

DATA_FOLDERS = ("ontology", "shapes", "trials", "registry", "examples")


class BuildWithData(build_py):
    """Builds the package and copies each data folder to `sle_kg/data`; a checkout reads the folders where they are."""

    def run(self) -> None:
        """Copy code, then data; an editable install gets no copy, so that edits show at once."""
        super().run()
        if self.editable_mode:
            return
        for name in DATA_FOLDERS:
            target = Path(self.build_lib) / "sle_kg" / "data" / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(name, target)


setup(cmdclass={"build_py": BuildWithData})
