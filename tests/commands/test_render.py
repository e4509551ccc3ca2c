"""``e3d render``: pictures whose colours are those of the colour map, nothing cut off, no half files."""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from e3d_lmp import cli
from e3d_lmp.commands.render import parse_frames, parse_size
from e3d_lmp.errors import E3DError
from e3d_lmp.figures.colours import ColourScale, table
from e3d_lmp.scene.camera import BORDER, View
from edge_frames import random_cell, write_dump
from ovito_frames import Snapshot, chain, snapshot, write_atoms, write_store

pytest.importorskip(
    "ovito", reason="OVITO cannot be imported; type: pip install 'e3d-lmp[ovito]'", exc_type=ImportError
)
from ovito.io import import_file
from ovito.vis import StandardRenderer, Viewport

from e3d_lmp.scene import pictures
from e3d_lmp.scene.modifier import E3DBonds
from e3d_lmp.scene.pictures import Look, Stage, choose_renderer, has_vulkan

needs_vulkan = pytest.mark.skipif(
    not has_vulkan(),
    reason=f"no Vulkan driver; type: sudo apt-get install {pictures.VULKAN_PACKAGES}",
)
D_VALUES = [-9.0, -7.6, -6.1, -5.0, -3.7, -2.2, -1.0]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of 12 frames of one dimer whose D goes from -9 to -3.5."""
    return write_store(tmp_path / "e.h5", [chain([-9.0 + 0.5 * k], step=10 * k) for k in range(12)])


def _pixels(image: Any) -> np.ndarray:
    """(height, width, 3) float64 from 0 to 1 of a QImage."""
    image = image.convertToFormat(image.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3) / 255.0


def _stage(snapshots: list[Snapshot], folder: Path, look: Look, view: View, **settings: Any) -> Stage:
    """A stage of flatly shaded bonds, so that a colour on the screen is the colour of a bond."""
    name = f"pixels-{len(list(folder.iterdir()))}.h5"
    pipeline = import_file(str(write_store(folder / name, snapshots)), cutoff="2.0")
    modifier = E3DBonds(**settings)
    pipeline.modifiers.append(modifier)
    data = pipeline.compute()
    data.particles.bonds.vis.flat_shading = True
    data.particles.vis.scaling = 0.1
    return Stage(pipeline, modifier, range(len(snapshots)), view, look, len(snapshots))


@needs_vulkan
@pytest.mark.parametrize("quantity", ["D", "|A|"])
@pytest.mark.parametrize("ortho", [True, False], ids=["parallel", "perspective"])
def test_colours_on_the_screen_are_those_of_the_map(tmp_path: Path, quantity: str, ortho: bool) -> None:
    A = [0.0, 0.3, -0.7, 1.0, -1.4, 1.7, 2.0]
    frame, atoms = chain(D_VALUES, A)
    view = View((0.0, 0.0, -1.0), ortho=ortho)
    low, high = (-9.0, -1.0) if quantity == "D" else (0.0, 2.0)
    look = Look(size=(400, 600), legend=False)
    settings = {"colour_by": quantity, "low": low, "high": high, "width": 0.6}
    with _stage([(frame, atoms)], tmp_path, look, view, **settings) as stage:
        pixels = _pixels(stage.image(StandardRenderer(antialiasing_level=1)))
        camera, fov = np.array(stage.viewport.camera_pos), stage.viewport.fov
    middle = 0.5 * (atoms.position[0::2] + atoms.position[1::2])
    x, y, z = (
        (middle - camera) @ view.axes().T[:, 0:1],
        (middle - camera) @ view.axes().T[:, 1:2],
        middle - camera,
    )
    half = np.full(len(middle), fov) if ortho else (z @ view.axes()[2]) * np.tan(fov / 2.0)
    column = np.rint(200 + x[:, 0] / half * 300).astype(int)
    row = np.rint(300 - y[:, 0] / half * 300).astype(int)
    values = np.asarray(D_VALUES) if quantity == "D" else np.abs(A)
    expected = ColourScale(quantity, low, high).colours(values)
    np.testing.assert_allclose(pixels[row, column], expected, atol=1.5 / 255)
    assert (pixels[0] == 1.0).all() and (pixels[:, 0] == 1.0).all(), "white around it"


@needs_vulkan
def test_the_bar_has_the_colours_of_the_map(tmp_path: Path) -> None:
    look = Look(size=(500, 400))
    with _stage([chain(D_VALUES)], tmp_path, look, View((0.0, 0.0, -1.0)), low=-9.0, high=-1.0) as stage:
        pixels = _pixels(stage.image(StandardRenderer(antialiasing_level=1)))[:, -88:]
    distance = np.abs(pixels[:, :, None, :] - table("D")[None, None]).max(axis=3)
    in_map = (distance.min(axis=2) < 0.01) & (np.ptp(pixels, axis=2) > 0.1)
    column = int(in_map.sum(axis=0).argmax())
    rows = np.flatnonzero(in_map[:, column])
    assert len(rows) > 150, "a bar of more than a third of the height"
    at = 255.0 * (rows[-1] - rows) / np.ptp(rows)  # strong bonds below
    np.testing.assert_allclose(pixels[rows, column], table("D")[at.round().astype(int)], atol=0.03)


@needs_vulkan
def test_a_strip_has_each_frame_in_its_colour(tmp_path: Path) -> None:
    D = [-8.0, -5.0, -2.0]
    look = Look(size=(620, 200), labels=("[Timestep]",))
    snapshots = [chain([value], step=k) for k, value in enumerate(D)]
    with _stage(snapshots, tmp_path, look, View((0.0, 0.0, -1.0)), low=-9.0, high=-1.0) as stage:
        width = stage._panel[0]
        pixels = _pixels(stage.image(StandardRenderer(antialiasing_level=1)))
    colours = ColourScale("D", -9.0, -1.0).colours(D)
    for k in range(len(D)):
        panel = pixels[:, k * width : (k + 1) * width]
        counts = [np.count_nonzero(np.abs(panel - other).max(axis=2) < 0.02) for other in colours]
        assert counts[k] > 100 and sum(counts) == counts[k]
        assert (panel[-30:].min(axis=2) < 0.3).any(), "the label is there"


@needs_vulkan
def test_long_labels_and_bars_of_tall_pictures_fit(tmp_path: Path) -> None:
    look = Look(size=(240, 480), labels=("C2H6O/reaction 123/transition state [Timestep]",))
    with _stage([chain([-5.0], step=10**6)], tmp_path, look, View((0.0, 0.0, -1.0))) as stage:
        width = stage._panel[0]
        assert width >= 0.75 * 240
        drawn = _pixels(stage.image(StandardRenderer(antialiasing_level=1))).min(axis=2) < 0.8
    label = np.flatnonzero(drawn[-40:, :width].any(axis=0))
    assert label.size and label[0] > 0 and label[-1] < width - 1 and np.ptp(label) > 0.5 * width
    bar = np.flatnonzero(drawn[:, width:].any(axis=0))
    assert bar.size and bar[0] > 0 and bar[-1] < 240 - width - 1


@needs_vulkan
@pytest.mark.parametrize("ortho", [True, False], ids=["parallel", "perspective"])
def test_nothing_is_cut_off(tmp_path: Path, ortho: bool) -> None:
    rng = np.random.default_rng(1)
    given = [snapshot(rng, 40, random_cell(rng, 8.0, 11.0, True), 1.8, step) for step in range(2)]
    for direction in ((-1.0, 0.5, -0.3), (0.0, 0.0, -1.0), (0.3, 1.0, 0.8)):
        look = Look(size=(300, 200), legend=False)
        with _stage(given[:1], tmp_path, look, View(direction, ortho=ortho)) as stage:
            pixels = _pixels(stage.image(StandardRenderer(antialiasing_level=1)))
        drawn = (pixels < 1.0).any(axis=2)
        assert not (drawn[:3].any() or drawn[-3:].any() or drawn[:, :3].any() or drawn[:, -3:].any())
        size = max(np.ptp(np.flatnonzero(drawn.any(axis=k))) / n for k, n in ((0, 300), (1, 200)))
        assert size > 0.8, "the picture is full"


@pytest.mark.parametrize("ortho", [True, False], ids=["parallel", "perspective"])
def test_camera_sees_all_points_and_touches_some(ortho: bool) -> None:
    rng = np.random.default_rng(8)
    for direction, aspect, bottom in itertools.product(
        ((1.0, 2.0, 3.0), (0.0, 0.0, 1.0), (-1.0, 0.0, 0.0)), (0.5, 1.8), (0.0, 0.1)
    ):
        view = View(direction, 40.0, 1.0, ortho)
        points = rng.normal(size=(50, 3)) * [3.0, 1.0, 7.0] + rng.uniform(-9, 9, 3)
        at, fov = view.placed(points, aspect, bottom, radius=0.0)
        x, y, z = ((points - at) @ view.axes().T).T
        assert (z > 0).all()
        half = fov if ortho else z * np.tan(fov / 2.0)
        x, y = x / half / aspect, y / half
        inside = 1.0 - 2.0 * BORDER
        ends = np.array([inside + x.min(), inside - x.max(), inside - 2 * bottom + y.min(), inside - y.max()])
        assert (ends > -1e-9).all()
        touches = np.isclose(ends, 0.0, atol=1e-9)
        assert touches[:2].all() or touches[2:].all()


@needs_vulkan
@pytest.mark.parametrize(
    "words", [[], ["--colour", "A", "--width-by", "D"], ["--ortho", "--no-cell", "--cut"]]
)
def test_picture(store: Path, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.png"
    assert cli.main(["render", str(store), "-o", str(out), "--size", "320x240", *words]) == 0
    from matplotlib.image import imread

    assert imread(out).shape[:2] == (240, 320)
    assert "StandardRenderer" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".png"] == ["a.png"]


@needs_vulkan
def test_dumps_and_filters(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    given = [snapshot(rng, 20, random_cell(rng, 6.0, 7.0, True), 2.4, step) for step in (0, 5)]
    edges = write_dump(tmp_path / "edges.dump", [frame for frame, _ in given])
    atoms = write_atoms(tmp_path / "atoms.dump", given)
    words = ["render", str(edges), "--atoms", str(atoms), "--frames", "0,1", "--size", "500x200"]
    words += ["--cutoff", "2.4", "--pairs", "C-H", "O-H", "--window", "-5", "-3", "--label", "a", "b"]
    assert cli.main([*words, "-o", str(tmp_path / "a.png")]) == 0
    assert cli.main([*words, "-o", str(tmp_path / "none.png"), "--window", "50", "60"]) == 0


@needs_vulkan
def test_movie(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "a.mp4"
    words = ["render", str(store), "-o", str(out), "--size", "160x120", "--frames", "1::2"]
    asked: list[dict[str, Any]] = []
    begun: list[int] = []
    render_anim, movie = Viewport.render_anim, Stage.movie
    monkeypatch.setattr(
        Viewport, "render_anim", lambda self, **k: (asked.append(k), render_anim(self, **k))[1]
    )

    def watched(self: Stage, path: Path, fps: int, renderer: Any, progress: Any) -> None:
        movie(self, path, fps, renderer, lambda n: (begun.append(n), progress(n))[1])

    monkeypatch.setattr(Stage, "movie", watched)
    assert cli.main(words) == 0
    assert out.read_bytes()[4:8] == b"ftyp" and out.stat().st_size > 1000
    assert (asked[0]["range"], asked[0]["every_nth"]) == ((1, 11), 2)
    assert sorted(set(begun)) == [1, 2, 3, 4, 5, 6]

    before = out.read_bytes()

    def dies(self: Viewport, filename: str, **_: Any) -> None:
        Path(filename).write_bytes(b"half")
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(Viewport, "render_anim", dies)
    assert cli.main(words) == 2
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "e.h5"]


def test_messages(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    local = write_dump(tmp_path / "edges.dump", [chain([-4.0])[0]])

    def says(*words: str) -> str:
        words = words if "-o" in words else (*words, "-o", str(tmp_path / "a.png"))
        assert cli.main(["render", *words]) == 2
        return capsys.readouterr().err

    assert "no such file; expected an edge store" in says(str(tmp_path / "none.h5"))
    assert "expected a file that ends in .png" in says(str(store), "-o", "a.xyz")
    assert "no such folder; make it first" in says(str(store), "-o", str(tmp_path / "none" / "a.png"))
    assert "expected WIDTHxHEIGHT" in says(str(store), "--size", "800")
    assert "expected 64 to 8192 pixels" in says(str(store), "--size", "10x10")
    assert "expected LOW < HIGH" in says(str(store), "--range", "1", "-1")
    assert "expected three numbers that are not all 0" in says(str(store), "--view", "0", "0", "0")
    assert "expected 1 to 150 degrees" in says(str(store), "--fov", "170")
    assert "1 fits everything in" in says(str(store), "--zoom", "0")
    assert "three numbers from 0 to 1" in says(str(store), "--background", "0", "0", "9")
    assert "number of angstrom" in says(str(store), "--width", "-1")
    assert "cutoff 'long'" in says(str(store), "--cutoff", "long")
    if has_vulkan():
        assert "add --atoms DUMP" in says(str(local))
        assert "--frames 12: expected a number from 0 to 11" in says(str(store), "--frames", "12")
        assert "give one, or one per frame" in says(str(store), "--label", "a", "b")
        backwards = says(str(store), "-o", str(tmp_path / "a.mp4"), "--frames", "5:0:-1")
        assert "at even distances, forwards" in backwards
        assert "pair 'C-Xx'" in says(str(store), "--pairs", "C-Xx")
    assert not (tmp_path / "a.png").exists()


def test_without_vulkan_or_ovito(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from e3d_lmp.commands.render import check_ovito

    monkeypatch.setattr(pictures, "has_vulkan", lambda: False)
    for name in ("standard", "tachyon"):
        with pytest.raises(E3DError, match="sudo apt-get install libvulkan1 mesa-vulkan-drivers"):
            choose_renderer(name)
    with pytest.raises(E3DError, match="expected one of: standard, tachyon"):
        choose_renderer("nice")
    monkeypatch.setitem(sys.modules, "ovito", None)
    with pytest.raises(E3DError, match="pip install ovito"):
        check_ovito()


def test_frames_and_sizes_in_words() -> None:
    assert parse_frames("3", 5) == [3] and parse_frames("-1", 5) == [4]
    assert parse_frames("0,4,2", 5) == [0, 4, 2]
    assert parse_frames(":", 3) == [0, 1, 2] and parse_frames("1:", 3) == [1, 2]
    assert parse_frames("0:5:2", 5) == [0, 2, 4] and parse_frames(":99", 3) == [0, 1, 2]
    for words in ("5", "-6", "a", "1:2:3:4", "::0", "", "4:2"):
        with pytest.raises(E3DError, match="--frames"):
            parse_frames(words, 5)
    assert parse_size("640x480") == (640, 480)
    for words in ("640", "x", "640x", "1x2x3", "-1x5"):
        with pytest.raises(E3DError, match="--size"):
            parse_size(words)


@needs_vulkan
def test_an_interrupted_movie_leaves_nothing(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    movie, before = Stage.movie, signal.getsignal(signal.SIGINT)  # ignored, where a shell runs us behind

    def interrupted(self: Stage, path: Path, fps: int, renderer: Any, progress: Any) -> None:
        movie(self, path, fps, renderer, lambda n: os.kill(os.getpid(), signal.SIGINT) if n == 3 else None)

    monkeypatch.setattr(Stage, "movie", interrupted)
    words = ["render", str(store), "-o", str(tmp_path / "a.mp4"), "--size", "160x120"]
    assert cli.main(words) == cli.EXIT_INTERRUPTED
    assert [path.name for path in tmp_path.iterdir()] == ["e.h5"]
    assert signal.getsignal(signal.SIGINT) is before
    monkeypatch.undo()
    assert cli.main(words) == 0, "OVITO goes on"
