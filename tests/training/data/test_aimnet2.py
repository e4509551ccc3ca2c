"""The reader of AIMNet2's TorchScript, on a small one of the same name and interface."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.aimnet2 import AIMNet2 as Reader


class AIMNet2(torch.nn.Module):
    """Springs of length 1 between all atoms, as strong as the product of their numbers."""

    def forward(self, data: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        numbers = data["numbers"].to(torch.float32)
        vectors = data["coord"].unsqueeze(2) - data["coord"].unsqueeze(1)
        distances = (vectors.square().sum(-1) + 1e-12).sqrt()
        strength = 0.25 * numbers.unsqueeze(1) * numbers.unsqueeze(2)
        data["energy"] = (strength * (distances - 1.0).square()).sum(dim=(1, 2)).double()
        return data


class Other(AIMNet2):
    """Another name."""


def test_energy_and_forces_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model.jpt"
    torch.jit.script(AIMNet2()).save(str(path))
    model = Reader(path)
    numbers, positions = np.array([8, 1, 1]), np.random.default_rng(1).normal(size=(3, 3))
    energy, forces = model(numbers, positions)
    step = 1e-3
    for k in range(9):
        moved = [positions.copy(), positions.copy()]
        for sign, place in zip((1.0, -1.0), moved, strict=True):
            place.reshape(-1)[k] += sign * step
        slope = (model(numbers, moved[0])[0] - model(numbers, moved[1])[0]) / (2.0 * step)
        assert forces.reshape(-1)[k] == pytest.approx(-slope, abs=5e-3)
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1) + np.eye(3)
    want = 0.25 * (np.outer(numbers, numbers) * (distance - 1.0) ** 2).sum() + 0.25 * (numbers**2).sum()
    assert energy == pytest.approx(want, rel=1e-5)
    assert len(model.sha256) == 64
    with pytest.raises(E3DError, match=r"elements that AIMNet2 knows.* 1 2 "):
        model(np.array([2, 1]), positions[:2])
    # by itself or among others, and an element of which the file would give a number
    energies, several = model.many(np.array([[8, 1, 1], [8, 1, 2]]), np.stack([positions, positions]))
    assert energies[0] == pytest.approx(energy) and np.isnan(energies[1])
    np.testing.assert_allclose(several[0], forces, rtol=1e-5)
    assert np.isnan(several[1]).all()


def test_what_is_no_aimnet2_is_refused_with_the_way_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(E3DError, match=r"there is none; get it with: pip download"):
        Reader(tmp_path / "none.jpt")
    (tmp_path / "text.jpt").write_text("nothing")
    with pytest.raises(E3DError, match=r"TorchScript file at .* got: .*pip download"):
        Reader(tmp_path / "text.jpt")
    path = tmp_path / "other.jpt"
    torch.jit.script(Other()).save(str(path))
    with pytest.raises(E3DError, match=r"got 'Other'.*pip download"):
        Reader(path)
