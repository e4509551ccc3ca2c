"""The models that are shipped: packages of nequip, the older one made before the rooms of ours had names.

A package names modules of ours. nequip's own loader has to open it, and each name has to lead to what it was.
"""

from __future__ import annotations

import importlib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra.utils import get_class, instantiate
from nequip.model.saved_models.package import ModelFromPackage, ModelTypeNamesFromPackage

from e3d_lmp.model.export import verify_file
from e3d_lmp.training.budget import BudgetCheckpoints, BudgetSchedule
from lammps_runs import ROOT

PACKAGES = sorted((ROOT / "inputs/models").glob("*.nequip.zip"))


def _text(package: Path, name: str) -> Any:
    """A file of YAML in a package."""
    with zipfile.ZipFile(package) as archive:
        return yaml.safe_load(archive.read(f"model.nequip/model/{name}"))


def _ours(config: Any) -> list[dict[str, Any]]:
    """The parts of a configuration whose ``_target_`` is a name of this package."""
    parts = config.values() if isinstance(config, dict) else config if isinstance(config, list) else ()
    found = [one for part in parts for one in _ours(part)]
    is_one = isinstance(config, dict) and str(config.get("_target_", "")).startswith("e3d_lmp.")
    return [config, *found] if is_one else found


def test_both_packages_are_there() -> None:
    assert [path.name for path in PACKAGES] == ["organic-small.nequip.zip", "organic.nequip.zip"]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_modules_that_a_package_needs_are_there(package: Path) -> None:
    """nequip notes each module that is loaded for all its models, and its version."""
    needed = [name for name in _text(package, "package_metadata.txt")["versions"] if "e3d_lmp" in name]
    assert needed == ["e3d_lmp.extension"]
    assert {point.value for point in metadata.entry_points(group="nequip.extension")} >= set(needed)
    assert importlib.import_module(needed[0]).register()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_configuration_of_a_package_can_be_made_again(package: Path, tmp_path: Path) -> None:
    parts = {get_class(part["_target_"]): part for part in _ours(_text(package, "config.yaml"))}
    assert set(parts) >= {BudgetSchedule, BudgetCheckpoints}
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=0.006)
    assert isinstance(instantiate(parts[BudgetSchedule], optimizer=optimizer), BudgetSchedule)
    checkpoints = instantiate({**parts[BudgetCheckpoints], "folder": str(tmp_path)})
    assert isinstance(checkpoints, BudgetCheckpoints)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_package_is_loaded_by_nequip_and_is_the_model_beside_it(package: Path) -> None:
    model = ModelFromPackage(str(package), compile_mode="eager")
    assert sum(parameter.numel() for parameter in model.parameters()) > 50_000
    assert set(ModelTypeNamesFromPackage(str(package))) == {"H", "C", "N", "O", "S", "F", "Cl"}
    report = verify_file(package.with_name(package.name.replace(".nequip.zip", ".safetensors")), package)
    assert report.n_edges > 500
