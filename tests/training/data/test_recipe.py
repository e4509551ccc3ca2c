"""Recipes: what they may say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.recipe import Share, parse_recipe, read_recipe, with_short_names

RECIPE: dict[str, Any] = {
    "elements": ["H", "C"],
    "r_max": 5.2,
    "fractions": {"val": 0.1, "test": 0.1},
    "sources": [{"file": "a.h5", "layout": "spice", "level": "A"}],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.h5", "b.json", "c.h5"):
        (tmp_path / name).touch()
    return tmp_path


def test_what_is_not_said(folder: Path) -> None:
    recipe = parse_recipe(RECIPE, folder)
    source = recipe.sources[0]
    assert (recipe.seed, recipe.max_force, recipe.min_distance, recipe.level) == (1, 20.0, 0.6, "A")
    assert source.file == folder / "a.h5" and source.name == "a.h5" and source.charges == (0,)
    assert source.share("anything") == Share(None, None, None, by_frame=False)


def test_frames_of_each_subset(folder: Path) -> None:
    frames = {"x": {"train": 3, "test": "all", "repeat": 4}, "*": {"train": 1, "split": "frames"}}
    source = parse_recipe(RECIPE | {"sources": [RECIPE["sources"][0] | {"frames": frames}]}, folder).sources[
        0
    ]
    assert source.share("x") == Share(3, 0, None, repeat=4) and source.share("y") == Share(
        1, 0, 0, by_frame=True
    )
    del frames["*"]
    source = parse_recipe(RECIPE | {"sources": [RECIPE["sources"][0] | {"frames": frames}]}, folder).sources[
        0
    ]
    assert source.share("y") is None


@pytest.mark.parametrize(("said", "charges"), [("any", None), ("neutral", (0,)), ([0, -1], (0, -1))])
def test_charges(folder: Path, said: Any, charges: Any) -> None:
    sources = [RECIPE["sources"][0] | {"charges": said}]
    assert parse_recipe(RECIPE | {"sources": sources}, folder).sources[0].charges == charges


def test_files_given_by_name_or_in_order(folder: Path) -> None:
    two = [
        {"name": "one", "file": "no.h5", "layout": "spice", "level": "A"},
        {"name": "two", "layout": "matpes", "level": "A"},
    ]
    a, b = str(folder / "a.h5"), str(folder / "b.json")
    for words in ([a, b], [f"two={b}", a], [f"two={b}", f"one={a}"]):
        recipe = parse_recipe(RECIPE | {"sources": two}, folder, words)
        assert [str(source.file) for source in recipe.sources] == [a, b]
    with pytest.raises(E3DError, match=r"at most 2 files.*one too many"):
        parse_recipe(RECIPE | {"sources": two}, folder, [a, b, a])
    with pytest.raises(E3DError, match=r"missing: file"):
        parse_recipe(RECIPE | {"sources": two}, folder, [a])


def test_no_folders_of_this_machine_are_kept(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    far = tmp_path_factory.mktemp("far") / "c.h5"
    far.touch()
    (folder / "sub").mkdir()
    (folder / "sub/d.h5").touch()
    files = ["a.h5", str(folder / "sub/d.h5"), str(far)]
    sources = [SOURCE | {"file": file, "name": f"s{k}"} for k, file in enumerate(files)]
    recipe = parse_recipe(RECIPE | {"sources": sources}, folder)
    assert [str(source.file) for source in recipe.sources] == [str(folder / "a.h5"), *files[1:]]
    assert [source["file"] for source in recipe.text["sources"]] == ["a.h5", "sub/d.h5", "c.h5"]
    old = {"sources": [{"file": str(far)}], "r_max": 4.0}  # as manifests had it
    assert with_short_names(old) == {"sources": [{"file": "c.h5"}], "r_max": 4.0}
    assert with_short_names({"frames": {}}) == {"frames": {}}


SOURCE = RECIPE["sources"][0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"element": ["H"]}, "in the recipe, got element"),
        ({"elements": ["H", False]}, r"a list of chemical symbols, e.g. \[H, C, N, O\], got \['H', False\]"),
        ({"elements": ["H", "Xx"]}, "chemical symbols, each once, got H Xx"),
        ({"r_max": None}, "missing: r_max"),
        ({"r_max": "long"}, "a number for r_max, got 'long'"),
        ({"r_max": 0}, "a cutoff above 0 angstrom for r_max, e.g. 5.2, got 0"),
        ({"r_max": float("inf")}, "a cutoff above 0 angstrom for r_max"),
        ({"max_force": float("nan")}, "a number for max_force, got nan"),
        ({"seed": 1.7}, "a whole number for seed, got 1.7"),
        ({"seed": True}, "a whole number for seed, got True"),
        ({"fractions": {"val": 0.0, "test": 0.1}}, "fractions above 0 that sum to less than 1"),
        ({"fractions": {"val": 0.1}}, "missing: test"),
        ({"sources": []}, "expected `sources` to be a list"),
        (
            {"sources": [SOURCE | {"layout": "sdf"}]},
            "layout to be one of spice, transition1x, matpes, ani, extxyz",
        ),
        ({"sources": [SOURCE | {"charges": "all"}]}, "charges to be `neutral`, `any` or a list"),
        ({"sources": [SOURCE | {"frames": {"x": 3}}]}, "expected `frames` as"),
        ({"sources": [SOURCE | {"frames": {"x": {"repeat": 0}}}]}, "above 0 for `repeat` of 'x', got 0"),
        ({"sources": [SOURCE | {"frames": {"x": {"repeat": 1.5}}}]}, "above 0 for `repeat` of 'x', got 1.5"),
        (
            {"sources": [SOURCE | {"frames": {"x": {"train": -1}}}]},
            "frames per molecule or `all` for 'x', got -1",
        ),
        (
            {"sources": [SOURCE | {"frames": {"x": {"split": "atoms"}}}]},
            "split to be one of molecules, frames",
        ),
        ({"sources": [SOURCE | {"file": "no.h5"}]}, "there is none; mend `file`"),
        ({"sources": [SOURCE, SOURCE]}, "'a.h5' occurs twice; set `name`"),
        ({"sources": [SOURCE, SOURCE | {"file": "c.h5", "level": "B"}]}, "got A and B; add `alignment:"),
        ({"sources": [SOURCE | {"use": "alignment"}]}, "expected a source with `use: training`"),
        ({"alignment": {"to": "B", "method": "atoms"}}, r"a level of a source \(A\), got 'B'"),
        ({"alignment": {"to": "A", "method": "guess"}}, "method of alignment to be one of atoms, factor"),
    ],
)
def test_refusals(folder: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(E3DError, match=message):
        parse_recipe(RECIPE | change, folder)


def test_the_old_form_is_refused_by_name(folder: Path) -> None:
    old = {key: value for key, value in RECIPE.items() if key != "sources"} | {
        "level": "A",
        "frames": {"x": {}},
    }
    with pytest.raises(
        E3DError, match=r"old form \(e3d-training-set/1\); put `level` and `frames` into an entry"
    ):
        parse_recipe(old, folder)
    (folder / "recipe.yaml").write_text("elements: [H\n")
    with pytest.raises(E3DError, match="expected a recipe in YAML"):
        read_recipe(folder / "recipe.yaml")
    (folder / "recipe.yaml").write_text("just words\n")
    with pytest.raises(E3DError, match=r"recipe.yaml: expected a recipe with the keys"):
        read_recipe(folder / "recipe.yaml")
