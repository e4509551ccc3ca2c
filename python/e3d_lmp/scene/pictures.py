"""Pictures, film strips and movies of a pipeline with E3D bonds, without a display."""

from __future__ import annotations

import contextlib
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from ovito.pipeline import Pipeline
from ovito.qt_compat import QtCore, QtGui
from ovito.vis import ParticlesVis, StandardRenderer, TachyonRenderer, TextLabelOverlay, Viewport

from e3d_lmp.errors import E3DError
from e3d_lmp.figures.colours import bond_values, fitted_scale
from e3d_lmp.files import atomic_path
from e3d_lmp.scene.camera import View, drawn_points
from e3d_lmp.scene.modifier import E3DBonds

PICTURES = (".png", ".jpg", ".tiff")
MOVIES = (".mp4", ".mov", ".avi", ".gif")
"""Endings of the files that OVITO writes; it brings its own encoder of movies."""

RENDERERS = ("standard", "tachyon")

VULKAN_PACKAGES = "libvulkan1 mesa-vulkan-drivers"

LEGEND_WIDTH = 0.22
"""Width of the colour bar over the picture's height."""

MOST_LEGEND = 0.25
"""Most that the colour bar takes of the picture's width; it shrinks in tall pictures."""

LETTER_WIDTH = 0.7
"""Width of a letter of a label over its font size, no less than most letters have."""

LABEL_HEIGHT = 0.07
"""Height of the text below a frame over the picture's height."""

SAMPLED = 12
"""Frames, spread over those shown, that the camera and the colours are fitted to."""

Renderer = StandardRenderer | TachyonRenderer


@dataclass(frozen=True)
class Look:
    """What a picture shows besides the bonds.

    Attributes
    ----------
    size        pixels, width and height of the whole picture
    background  red, green and blue from 0 to 1
    cell        whether the simulation cell is drawn
    legend      whether there is a colour bar
    whole       whether images of atoms make molecules whole that the cell cuts
    labels      a text below each frame, one for all or one per frame; ``[Timestep]`` and other attributes of
                the frame in brackets are filled in
    """

    size: tuple[int, int] = (800, 600)
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)
    cell: bool = True
    legend: bool = True
    whole: bool = True
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(64 <= pixels <= 8192 for pixels in self.size):
            raise E3DError(
                f"size {self.size[0]}x{self.size[1]}: expected 64 to 8192 pixels each way, e.g. 800x600"
            )


@cache
def has_vulkan() -> bool:
    """Whether OVITO finds a Vulkan driver, of a GPU or in software.

    It draws some pixels to find out, which tells the same on every system.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an empty scene
        try:
            Viewport(type=Viewport.Type.Ortho).render_image(size=(8, 8), stop_on_error=False)
        except RuntimeError as error:
            return "Vulkan" not in str(error)
    return True


def choose_renderer(name: str = "standard", quick: bool = False) -> Renderer:
    """OVITO's standard renderer (Vulkan, on a GPU or in software), or Tachyon, which traces rays on the CPU.

    Parameters
    ----------
    name
        One of `RENDERERS`.
    quick
        For movies: less smoothing and no ambient shadows.

    Raises
    ------
    E3DError
        There is no Vulkan driver: OVITO puts the pictures of every renderer together with it.
    """
    if name not in RENDERERS:
        raise E3DError(f"renderer '{name}': expected one of: {', '.join(RENDERERS)}")
    if not has_vulkan():
        raise E3DError(
            "OVITO draws with Vulkan and finds no driver of it; type "
            f"'sudo apt-get install {VULKAN_PACKAGES}' (a driver in software: needs no GPU, no display)"
        )
    if name == "tachyon":
        samples = 4 if quick else 12
        return TachyonRenderer(ambient_occlusion_samples=samples, antialiasing_samples=samples)
    if quick:
        return StandardRenderer(antialiasing_level=2)
    return StandardRenderer(
        antialiasing_level=3,
        ambient_occlusion=True,
        ambient_occlusion_radius=1.5,
        ambient_occlusion_intensity=0.5,
    )


class Stage:
    """A pipeline with E3D bonds before a camera.

    Camera and colours are fitted to `SAMPLED` of the frames, unless the modifier's `low` and `high` are set.
    The pipeline is in OVITO's scene until `close`.

    Parameters
    ----------
    pipeline
        With ``modifier`` as its last modifier.
    modifier
        Its `low` and `high` are set here where both are 0.
    frames
        Numbers of the frames that will be shown, from 0.
    view, look
        Camera, and what else is seen.
    panels
        Frames side by side in one picture.

    Raises
    ------
    E3DError
        A frame cannot be read, or has no atoms.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        modifier: E3DBonds,
        frames: Sequence[int],
        view: View | None = None,
        look: Look | None = None,
        panels: int = 1,
    ):
        self.pipeline, self.modifier, self.frames = pipeline, modifier, list(frames)
        self.view, self.look = view or View(), look or Look()
        if not self.frames:
            raise E3DError("no frame to show")
        if self.look.labels and len(self.look.labels) not in (1, panels):
            raise E3DError(f"{len(self.look.labels)} labels for {panels} frames; give one, or one per frame")
        width, height = self.look.size
        legend_width = round(min(LEGEND_WIDTH * height, MOST_LEGEND * width))
        self._legend_width = legend_width if self.look.legend else 0
        self._panel = ((width - self._legend_width) // panels, height)
        if self._panel[0] < 32:
            raise E3DError(f"size {width}x{height}: too narrow for {panels} frames and a colour bar")
        self._letters = 1  # of the longest label
        points = self._fit_colours()
        self.viewport = self._camera(points)
        self._legend = self._legend_viewport()
        self._in_scene = True
        pipeline.add_to_scene()

    def close(self) -> None:
        """Take the pipeline out of OVITO's scene."""
        if self._in_scene:
            self.pipeline.remove_from_scene()
            self._in_scene = False

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def picture(self, path: str | Path, renderer: Renderer | None = None) -> None:
        """Write the frames side by side in one picture, whole or not at all."""
        image = self.image(renderer)
        with atomic_path(path) as partial:
            if not image.save(str(partial)):
                raise E3DError(f"cannot write {path}; expected a folder that is there, and one of {PICTURES}")

    def image(self, renderer: Renderer | None = None) -> Any:
        """The frames side by side, a QImage of the look's size."""
        renderer = renderer or choose_renderer()
        width, height = self.look.size
        whole = QtGui.QImage(width, height, QtGui.QImage.Format.Format_RGB32)
        whole.fill(QtGui.QColor.fromRgbF(*self.look.background))
        painter = QtGui.QPainter(whole)
        try:
            for k, frame in enumerate(self.frames):
                self._set_label(k)
                panel = _rendered(self.viewport, self._panel, frame, renderer, self.look.background)
                painter.drawImage(k * self._panel[0], 0, panel)
            if self._legend is not None:
                size = (self._legend_width, height)
                bar = _rendered(self._legend, size, self.frames[0], renderer, self.look.background)
                painter.drawImage(width - self._legend_width, 0, bar)
        finally:
            painter.end()
        return whole

    def movie(
        self,
        path: str | Path,
        fps: int = 20,
        renderer: Renderer | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Write the frames as a movie, whole or not at all.

        Parameters
        ----------
        path
            File with one of the endings `MOVIES`.
        fps
            Frames per second when it is played.
        renderer
            By default that of `choose_renderer`, the quick one.
        progress
            Called with the number of frames begun so far.
        """
        steps = set(np.diff(self.frames).tolist())
        if len(steps) > 1 or min(steps, default=1) < 1:
            raise E3DError("a movie shows frames at even distances, forwards; give them as FIRST:END:STEP")
        width, height = self.look.size
        share = self._panel[0] / width
        layout = [(self.viewport, (0.0, 0.0, share, 1.0))]
        if self._legend is not None:
            layout.append((self._legend, (share, 0.0, 1.0 - share, 1.0)))
        self._set_label(0)
        first, step = self.frames[0], min(steps, default=1)

        def tick(frame: int, data: Any) -> None:
            if interrupted:
                raise RuntimeError("interrupted")
            if progress is not None:
                progress((frame - first) // step + 1)

        interrupted: list[int] = []
        self.pipeline.modifiers.append(tick)
        try:
            with atomic_path(path) as partial, _noted_interrupts() as interrupted:
                self.viewport.render_anim(
                    filename=str(partial),
                    size=(width, height),
                    fps=fps,
                    background=self.look.background,
                    renderer=renderer or choose_renderer(quick=True),
                    range=(first, self.frames[-1]),
                    every_nth=step,
                    layout=layout,
                )
        except RuntimeError as error:
            if interrupted:
                raise KeyboardInterrupt from None
            raise as_e3d_error(error, f"{path}: the movie could not be made") from None
        finally:
            del self.pipeline.modifiers[-1]

    def _fit_colours(self) -> np.ndarray:
        """Fix the ends of the colour scale; (n, 3) points that the camera must see."""
        picks = np.unique(np.linspace(0, len(self.frames) - 1, SAMPLED).round().astype(int))
        points, values = [], []
        for k in picks:
            try:
                data = self.pipeline.compute(self.frames[k])
            except RuntimeError as error:
                raise as_e3d_error(error, f"frame {self.frames[k]} cannot be shown") from None
            if k == picks[0]:
                self._set_look(data)
            points.append(drawn_points(data, self.look.cell))
            self._letters = max(self._letters, *(len(_filled(text, data)) for text in self.look.labels), 0)
            D, A = (np.asarray(data.particles.bonds[name]) for name in ("D", "A"))
            values.append(bond_values(self.modifier.colour_by, D, A))
        if not self.modifier.low and not self.modifier.high:
            scale = fitted_scale(self.modifier.colour_by, values)
            self.modifier.low, self.modifier.high = scale.low, scale.high
        return np.concatenate(points)

    def _set_look(self, data: Any) -> None:
        mode = ParticlesVis.PeriodicImageMode
        data.particles.vis.periodic_image_mode = mode.Molecules if self.look.whole else mode.Off
        if data.cell is not None:
            data.cell.vis.render_cell = self.look.cell
            data.cell.vis.rendering_color = (0.45, 0.45, 0.45)
            lengths = np.linalg.norm(np.asarray(data.cell)[:, :3], axis=0)
            data.cell.vis.line_width = 0.0009 * float(lengths.sum())

    def _camera(self, points: np.ndarray) -> Viewport:
        kind = Viewport.Type.Ortho if self.view.ortho else Viewport.Type.Perspective
        _, up, away = self.view.axes()
        viewport = Viewport(type=kind, camera_dir=tuple(away), camera_up=tuple(up))
        bottom = LABEL_HEIGHT if self.look.labels else 0.0
        at, fov = self.view.placed(points, self._panel[0] / self._panel[1], bottom)
        viewport.camera_pos, viewport.fov = tuple(at), fov
        if self.look.labels:
            anchor = QtCore.Qt.AlignmentFlag
            self._label = TextLabelOverlay(
                alignment=anchor.AlignHCenter | anchor.AlignBottom,
                offset_y=0.015,
                font_size=min(0.045, self._panel[0] / self._panel[1] / (LETTER_WIDTH * self._letters)),
                text_color=_ink(self.look.background),
            )
            viewport.overlays.append(self._label)
        self._far = at - 1e6 * away
        return viewport

    def _set_label(self, k: int) -> None:
        if self.look.labels:
            self._label.text = self.look.labels[k if len(self.look.labels) > 1 else 0]

    def _legend_viewport(self) -> Viewport | None:
        """A view of nothing but the colour bar: it looks away from the scene."""
        if not self.look.legend:
            return None
        _, _, away = self.view.axes()
        viewport = Viewport(type=Viewport.Type.Perspective)
        viewport.camera_dir, viewport.camera_pos = tuple(-away), tuple(self._far)
        ink = _ink(self.look.background)
        anchor = QtCore.Qt.AlignmentFlag
        legend = self.modifier.legend(
            orientation=QtCore.Qt.Orientation.Vertical,
            alignment=anchor.AlignHCenter | anchor.AlignVCenter,
            legend_size=0.62 * self._legend_width / (LEGEND_WIDTH * self.look.size[1]),
            aspect_ratio=16.0,
            font_size=0.055,
            label_size=0.9,
            offset_x=-0.08,  # its numbers are on the right
            text_color=ink,
            border_color=ink,
        )
        viewport.overlays.append(legend)
        return viewport


def _filled(text: str, data: Any) -> str:
    """A label with the frame's attributes in it, as OVITO will show it."""
    for name, value in data.attributes.items():
        text = text.replace(f"[{name}]", str(value))
    return text


@contextlib.contextmanager
def _noted_interrupts() -> Iterator[list[int]]:
    """A list that fills when the user interrupts (Ctrl-C): OVITO does not survive an exception that comes
    while it draws, but stops at a modifier that fails."""
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before = signal.signal(signal.SIGINT, lambda number, _: noted.append(number))
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


def _ink(background: Sequence[float]) -> tuple[float, float, float]:
    """Black on a light background, white on a dark one."""
    return (0.0, 0.0, 0.0) if np.mean(background) > 0.45 else (1.0, 1.0, 1.0)


def _rendered(
    viewport: Viewport,
    size: tuple[int, int],
    frame: int,
    renderer: Renderer,
    background: tuple[float, float, float],
) -> Any:
    try:
        return viewport.render_image(size=size, frame=frame, renderer=renderer, background=background)
    except RuntimeError as error:
        raise as_e3d_error(error, f"frame {frame} could not be drawn") from None


def as_e3d_error(error: RuntimeError, what: str) -> E3DError:
    """What OVITO says, without the trace of our own error that it may hold."""
    text = str(error)
    if "E3DError: " in text:
        return E3DError(text.rsplit("E3DError: ", 1)[1].strip())
    return E3DError(f"{what}: {' '.join(text.split())}")
