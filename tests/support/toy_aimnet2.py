"""A potential that `e3d_lmp.training.data.aimnet2` takes for AIMNet2's TorchScript file."""

from __future__ import annotations

import torch


class AIMNet2(torch.nn.Module):
    """Springs between atoms closer than 2 angstrom; others attract and repel each other as 12-6, with a
    minimum of 0.02 eV at 3 angstrom."""

    def forward(self, data: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        vectors = data["coord"].unsqueeze(2) - data["coord"].unsqueeze(1)
        squares = vectors.square().sum(-1) + 1e-6
        hydrogen = data["numbers"] == 1
        both = hydrogen.unsqueeze(2) & hydrogen.unsqueeze(1)
        lengths = torch.where(both, 1.7 * torch.ones_like(squares), 1.05 * torch.ones_like(squares))
        near = (squares > 0.01) & (squares < 4.0)
        springs = 10.0 * (squares.sqrt() - lengths).square() * near
        inverse = (9.0 / squares).pow(3) * (squares >= 4.0)
        contacts = 0.01 * (inverse.square() - 2.0 * inverse)
        data["energy"] = (springs.double() + contacts.double()).sum(dim=(1, 2))
        return data
