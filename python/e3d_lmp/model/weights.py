"""Model files of the format ``e3d-weights/1``: the weights of an Allegro model and its architecture, no code.

The layout is that of safetensors: named arrays and strings. Weights are kept as the model holds them, each
matrix beside its gain (nequip's ``alpha``), so that nothing is rounded a second time. docs/engine.md defines
every name. The engine (`e3d_lmp.model.engine`) does the rest of the algebra when it loads such a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save

from e3d_lmp.errors import E3DError
from e3d_lmp.model.contract import ModelMetadata
from e3d_lmp.model.decomposition import AllegroEdgeModel, Decomposition, kind

FORMAT = "e3d-weights/1"
ARCHITECTURE = "allegro/1"
"""The modules of nequip-allegro 0.8."""
OF_OTHER_ENGINES = ("contract", "engine", "device", "torch_version")
"""Metadata of the contract e3d/1 that such a file does without: it belongs to no torch and no machine."""
L_MAX = 3
"""Highest order of spherical harmonics that the engine knows."""

Tensors = dict[str, np.ndarray]
Strings = dict[str, str]


class NotExpressible(E3DError):
    """A model that the engine cannot express; ``what`` says why."""

    def __init__(self, what: str) -> None:
        self.what = f"the native engine cannot express this model: {what}"
        super().__init__(
            f"{self.what}; export it for torch instead, with "
            "'e3d export MODEL OUT.nequip.pt2' (compiled) or OUT.nequip.pth (portable)"
        )


def extract_weights(facts: Decomposition) -> tuple[Tensors, Strings]:
    """The weights of a decomposed nequip model by the names of the format, and its architecture.

    Raises
    ------
    E3DError
        The model has a part that the engine does not know; the message names it and says what to do.
    """
    return _Extraction(facts).run()


def write_weights(facts: Decomposition, metadata: ModelMetadata, path: str | Path) -> None:
    """Write a file of the format; `E3DError` as `extract_weights` says."""
    tensors, architecture = extract_weights(facts)
    strings = {key: text for key, text in metadata.to_strings().items() if key not in OF_OTHER_ENGINES}
    content = save(
        {name: np.asarray(array, order="C") for name, array in tensors.items()},
        metadata={"format": FORMAT, **architecture, **strings},
    )
    Path(path).write_bytes(content)  # save_file would make it one that nobody else may read


class _Extraction:
    """Takes the modules of a `Decomposition` one by one; what it does not know is refused by name."""

    def __init__(self, facts: Decomposition) -> None:
        self.facts = facts
        self.tensors: Tensors = {}
        self.strings: Strings = {"architecture": ARCHITECTURE}

    def run(self) -> tuple[Tensors, Strings]:
        model = self.facts.edge_model
        assert isinstance(model, AllegroEdgeModel)
        networks = []
        for step in model.steps:
            what = kind(step)
            if what in ("EdgeLengthNormalizer", "AddRadialCutoffToData"):
                continue  # the cutoffs are facts; the envelope is for a pair term, which has its own
            if what == "SequentialGraphNetwork":
                self._bessel(step)
            elif what == "TwoBodySplineScalarEmbed":
                self._spline(step)
            elif what == "ScalarMLP":
                networks.append(step.mlp_module)
            elif what == "TwoBodySphericalHarmonicTensorEmbed":
                self._tensor_embedding(step)
            elif what == "Allegro_Module":
                self._layers(step)
            else:
                raise NotExpressible(f"it has a module {what}")
        if len(networks) != 2 or "projection.weight" not in self.tensors:
            raise NotExpressible(f"it has {len(networks)} networks on its scalars where Allegro has two")
        self._network("scalar_network", networks[0])
        self._network("readout", networks[1])
        self.tensors["edge_scale"] = _array(model.edge_scales).reshape(-1)
        self._pair_term(model.pair_terms)
        return self.tensors, self.strings

    def _bessel(self, embedding: Any) -> None:
        parts = {kind(part): part for part in embedding.children()}
        if set(parts) != {"BesselEdgeLengthEncoding", "ProductTypeEmbedding"}:
            raise NotExpressible(f"its edge embedding is made of {', '.join(parts)}")
        encoding, product = parts["BesselEdgeLengthEncoding"], parts["ProductTypeEmbedding"]
        self.tensors["radial.roots"] = _array(encoding.bessel_weights).reshape(-1)
        self._linear("radial.basis", product.basis_linear)
        self.tensors["radial.centre"] = _array(product.center_embed.weight)
        self.tensors["radial.neighbour"] = _array(product.neighbor_embed.weight)
        self.strings |= {
            "radial_basis": "bessel",
            "radial_width": str(self.tensors["radial.basis.weight"].shape[1]),
            "radial_cutoff_power": repr(_cutoff_power(encoding.cutoff)),
        }

    def _spline(self, embedding: Any) -> None:
        spline, types = embedding.spline, int(embedding.num_types)
        weight = _array(spline.class_embed.weight)
        self.tensors["radial.spline"] = weight.reshape(types, types, spline.num_channels, spline.num_splines)
        self.strings |= {
            "radial_basis": "spline",
            "radial_width": str(spline.num_channels),
            "num_splines": str(spline.num_splines),
            "spline_span": str(spline.spline_span),
        }

    def _tensor_embedding(self, embedding: Any) -> None:
        harmonics = embedding.sh
        if not harmonics.normalize or harmonics.normalization != "component":
            raise NotExpressible(f"its spherical harmonics are normalised by '{harmonics.normalization}'")
        irreps = embedding.irreps_out[embedding.tensor_basis_out_field]
        orders = [ir.l for mul, ir in irreps for _ in range(mul)]
        if orders != list(range(len(orders))):
            raise NotExpressible(f"its spherical harmonics are '{irreps}', not one of each order from 0 on")
        if orders[-1] > L_MAX:
            raise NotExpressible(f"its l_max is {orders[-1]}, the engine goes up to {L_MAX}")
        self.irreps = len(orders)
        self.strings["l_max"] = str(orders[-1])
        self._linear("tensor_weight", embedding.env_embed_linear)
        self._individual("tensor_weight.weight", 0, embedding._edge_weighter)

    def _layers(self, layers: Any) -> None:
        scalars, channels = int(layers.num_scalar_features), int(layers.num_tensor_features)
        if any(count != 1 for count in layers._n_scalar_outs):
            raise NotExpressible("a tensor product of it gives more than one scalar")
        self._linear("projection", layers.first_layer_env_embed_projection)
        self._individual("projection.weight", scalars, layers._env_weighter)
        self.tensors["layer_norm"] = _array(layers.avg_num_neighbors_norm.norm_const).reshape(-1)
        dims = [int(layers.tps[0].base_dim1)]
        for n, (latent, product) in enumerate(zip(layers.latents, layers.tps, strict=True)):
            self._product(f"layers.{n}.product", product)
            dims.append(int(product.base_dim_out))
            self._network(f"layers.{n}.latent", latent)
            if n + 1 < len(layers.latents):
                last = f"layers.{n}.latent.{self.strings[f'layers.{n}.latent.depth']}.weight"
                self._individual(last, scalars, layers._env_weighter)
        self.strings |= {
            "num_layers": str(len(layers.latents)),
            "num_scalar_features": str(scalars),
            "num_tensor_features": str(channels),
            "tensor_components": " ".join(map(str, dims)),
        }

    def _product(self, name: str, product: Any) -> None:
        """Path weights, and the non-zero entries of the 3j symbols as (path, i, j, k) and value."""
        if kind(product) != "Contracter":
            raise NotExpressible(f"its tensor product is a {kind(product)}, not nequip-allegro's Contracter")
        w3j, weights = product.w3j.detach(), product.weights.detach()
        if product.num_paths == 1:
            w3j, weights = w3j.unsqueeze(0), weights.unsqueeze(-1)
        if product.w3j_is_ij_diagonal:  # (p, i, k): i = j
            w3j = torch.diag_embed(w3j.transpose(1, 2)).permute(0, 2, 3, 1)
        terms = w3j.nonzero()
        self.tensors[f"{name}.weights"] = _array(weights).reshape(-1, product.num_paths)
        self.tensors[f"{name}.terms"] = terms.cpu().numpy().astype(np.int32)
        self.tensors[f"{name}.values"] = _array(w3j[tuple(terms.t())])

    def _network(self, name: str, network: Any) -> None:
        """A ``ScalarMLPFunction``: matrices with SiLU or nothing between them."""
        body = network.mlp
        if kind(body) == "DeepLinearMLP":
            weights = [_array(weight) for weight in body.weights]
            gains = [_array(body.alpha), *[np.ones_like(_array(body.alpha))] * (len(weights) - 1)]
            activations: set[str] = set()
        else:
            linear = [layer for layer in body if kind(layer) == "ScalarLinearLayer"]
            activations = {kind(layer) for layer in body} - {"ScalarLinearLayer"}
            if any(layer.bias is not None for layer in linear):
                raise NotExpressible(f"its network '{name}' has biases")
            if not activations <= {"SiLU", "Identity"} or len(activations) > 1:
                raise NotExpressible(
                    f"its network '{name}' has the nonlinearity {', '.join(sorted(activations))}"
                )
            weights = [_array(layer.weight) for layer in linear]
            gains = [_array(layer.alpha) for layer in linear]
        for k, (weight, gain) in enumerate(zip(weights, gains, strict=True)):
            self.tensors[f"{name}.{k}.weight"], self.tensors[f"{name}.{k}.gain"] = weight, gain.reshape(())
        self.strings[f"{name}.depth"] = str(len(weights) - 1)
        self.strings[f"{name}.activation"] = "silu" if "SiLU" in activations else "none"
        if len(weights) > 1:
            self.strings[f"{name}.width"] = str(weights[0].shape[1])

    def _linear(self, name: str, network: Any) -> None:
        """A ``ScalarMLPFunction`` of one matrix."""
        layers = list(network.mlp)
        if len(layers) != 1 or layers[0].bias is not None:
            raise NotExpressible(f"'{name}' is not a plain matrix")
        self.tensors[f"{name}.weight"] = _array(layers[0].weight)
        self.tensors[f"{name}.gain"] = _array(layers[0].alpha).reshape(())

    def _individual(self, name: str, first: int, weighter: Any) -> None:
        """Columns from `first` on: one for each channel and irrep, also where all irreps share one."""
        if float(weighter.alpha) != 1.0:
            raise NotExpressible("it scales its weighted channels")
        if not weighter.weight_individual_irreps:
            weight = self.tensors[name]
            shared = np.repeat(weight[:, first:], self.irreps, axis=1)
            self.tensors[name] = np.concatenate([weight[:, :first], shared], axis=1)

    def _pair_term(self, terms: Any) -> None:
        self.strings["pair_term"] = "zbl" if len(terms) else "none"
        for term in terms:
            if kind(term) != "ZBL":
                raise NotExpressible(f"it has the pair potential {kind(term)}; the engine knows ZBL")
            self.tensors["zbl.charge"] = _array(term.atomic_numbers).reshape(-1)
            self.strings["zbl_prefactor"] = repr(float(term._qqr2exesquare))
            self.strings["zbl_cutoff_power"] = repr(_cutoff_power(term.cutoff))


def _cutoff_power(cutoff: Any) -> float:
    """The p of nequip's polynomial cutoff, which may be scripted."""
    name = getattr(cutoff, "original_name", kind(cutoff))
    if name != "PolynomialCutoff":
        raise NotExpressible(f"its cutoff function is {name}, not nequip's PolynomialCutoff")
    return float(cutoff.p)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().contiguous().numpy()
