"""The loss of a training configuration where some frames, or all, have energies and no forces.

Such frames carry forces of nan in the prepared data, so that they share batches with the others.
"""

from __future__ import annotations

from typing import Any

from e3d_lmp.errors import E3DError

_MANAGER = "nequip.train.MetricsManager"
_FORCES = "forces"
_PER_ATOM_ENERGY = {"_target_": "nequip.data.PerAtomModifier", "field": "total_energy"}
_OURS = "e3d_lmp.training.partial_labels"
_METRICS = {
    f"nequip.train.{name}": f"{_OURS}.{name}"
    for name in ("HuberLoss", "MeanSquaredError", "MeanAbsoluteError", "RootMeanSquaredError")
}
"""nequip's metrics and ours, which bear batches without a label."""


def without_idle_terms(module: dict[str, Any]) -> None:
    """Take terms of the weight 0 out of the loss of a configuration's ``training_module``.

    0 times nan is nan, and the derivatives of forces are most of the work of a step.

    Raises
    ------
    E3DError
        No term is left.
    """
    loss = module["loss"]
    if loss.get("_target_") != _MANAGER:
        return
    kept = [term for term in loss["metrics"] if term.get("coeff") != 0]
    if not any(term.get("coeff") is not None for term in kept):
        raise E3DError("every term of the loss has the weight 0; set energy_weight or force_weight above 0")
    loss["metrics"] = kept


def ignore_missing_forces(module: dict[str, Any]) -> None:
    """Let a configuration's ``training_module`` learn from frames without forces.

    Raises
    ------
    E3DError
        The loss is of a kind that cannot.
    """
    loss = module["loss"]
    if loss.get("_target_") != _MANAGER:
        raise E3DError(
            f"the data have frames without forces, which the loss {loss.get('_target_')} cannot leave out; "
            "begin the configuration with 'defaults: [e3d, _self_]', or prepare the data with `forces: all`"
        )
    for term in loss["metrics"]:
        if term.get("field") != _FORCES:
            continue
        metric = term["metric"]
        if metric["_target_"] not in _METRICS:
            raise E3DError(
                f"the data have frames without forces, which {metric['_target_']} cannot leave out; expected "
                f"one of {', '.join(_METRICS)} in the loss, or data prepared with `forces: all`"
            )
        metric["_target_"] = _METRICS[metric["_target_"]]
        term["ignore_nan"] = True
    module["val_metrics"] = {
        "_target_": _MANAGER,
        "metrics": [
            {
                "name": f"{name}_{short}",
                "field": field,
                "coeff": 1.0 if short == "mae" else None,
                "metric": {"_target_": f"{_OURS}.{metric}"},
                "ignore_nan": True,
            }
            for name, field in (("per_atom_energy", _PER_ATOM_ENERGY), (_FORCES, _FORCES))
            for short, metric in (("mae", "MeanAbsoluteError"), ("rmse", "RootMeanSquaredError"))
        ],
    }
