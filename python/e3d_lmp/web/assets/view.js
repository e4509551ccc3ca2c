// The structure around a bond, drawn by 3Dmol.js: the bond lies across the screen, its first atom on the left.
function numbersOf(text, Kind) {
  return new Kind(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const unit = (a) => { const n = Math.hypot(...a) || 1; return a.map((x) => x / n); };

// Positions turned about the middle of the bond: x along it, y along the widest spread of the atoms near it.
function turned(positions, first, second) {
  const at = (k) => [positions[3 * k], positions[3 * k + 1], positions[3 * k + 2]];
  const a = at(first), b = at(second), middle = a.map((x, k) => (x + b[k]) / 2);
  const x = unit(a.map((value, k) => b[k] - value));
  const u = unit(cross(x, Math.abs(x[2]) < 0.9 ? [0, 0, 1] : [0, 1, 0])), v = cross(x, u);
  let uu = 0, uv = 0, vv = 0;
  for (let k = 0; k < positions.length / 3; k++) {
    const r = at(k).map((value, n) => value - middle[n]), near = Math.exp(-dot(r, r) / 3);
    const p = dot(r, u), q = dot(r, v);
    uu += near * p * p; uv += near * p * q; vv += near * q * q;
  }
  const angle = 0.5 * Math.atan2(2 * uv, uu - vv);
  const y = u.map((value, k) => value * Math.cos(angle) + v[k] * Math.sin(angle)), z = cross(x, y);
  const out = [];
  for (let k = 0; k < positions.length / 3; k++) {
    const r = at(k).map((value, n) => value - middle[n]);
    out.push([dot(r, x), dot(r, y), dot(r, z)]);
  }
  // The side with fewer atoms comes to the front, so that they do not hide the bond.
  const front = out.reduce((sum, [, , depth]) => sum + depth, 0);
  return front > 0 ? out.map(([p, q, depth]) => [p, -q, -depth]) : out;
}

class BondView {
  constructor(box, problem, elements, radii, scale, colours) {
    Object.assign(this, { box, elements, radii, scale, colours });
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    const probe = document.createElement("canvas");
    this.viewer = null;
    if (probe.getContext("webgl2") || probe.getContext("webgl")) {
      this.viewer = $3Dmol.createViewer(box, { antialias: true });
    }
    if (!this.viewer) {
      problem.hidden = false;
      problem.textContent = "This browser has no WebGL, so structures cannot be drawn; the map and the numbers work without it.";
      return;
    }
    this.paper();
    this.dark.addEventListener("change", () => this.paper());
    new ResizeObserver(() => { this.viewer.resize(); this.viewer.render(); }).observe(box);
    box.addEventListener("keydown", (event) => this.turn(event));
  }

  paper() {
    this.viewer.setBackgroundColor(this.dark.matches ? 0x1e2229 : 0xf4f5f7);
    if (this.last) this.show(...this.last);
  }

  turn(event) {
    const move = { ArrowLeft: [-15, "y"], ArrowRight: [15, "y"], ArrowUp: [-15, "x"], ArrowDown: [15, "x"] }[event.key];
    if (move) this.viewer.rotate(...move);
    else if (event.key === "+" || event.key === "=") this.viewer.zoom(1.2);
    else if (event.key === "-") this.viewer.zoom(1 / 1.2);
    else if (event.key === "0") this.reset();
    else return;
    event.preventDefault();
    this.viewer.render();
  }

  reset() {
    if (!this.viewer || !this.last) return;
    this.viewer.setView(this.home);
    this.viewer.render();
  }

  // Indices of the atoms that so many sticks or fewer join to those given, and these themselves.
  joined(atoms, start, steps) {
    const found = new Set(start);
    let edge = [...start];
    for (let n = 0; n < steps && edge.length; n++) {
      edge = edge.flatMap((k) => atoms[k].bonds).filter((k) => !found.has(k) && found.add(k));
    }
    return found;
  }

  // The colour of a bond energy, as OVITO and the figures have it: strong is dark.
  colour(D) {
    const [low, high] = this.scale, n = this.colours.length;
    return this.colours[Math.max(0, Math.min(n - 1, Math.floor(((D - low) / (high - low)) * n)))];
  }

  // structure: [elements as base64 of uint8, positions as base64 of float32, 1 for a whole molecule, ends of sticks as
  // base64 of uint16, their D as base64 of float32]; names: labels of the two atoms; D of their bond.
  show(structure, first, second, names, D) {
    this.last = [structure, first, second, names, D];
    if (!this.viewer) return;
    const kinds = numbersOf(structure[0], Uint8Array);
    const places = turned(numbersOf(structure[1], Float32Array), first, second);
    const atoms = places.map(([x, y, z], k) => ({ elem: this.elements[kinds[k]], x, y, z, bonds: [], bondOrder: [], bondStyles: [] }));
    const ends = numbersOf(structure[3], Uint16Array), energy = new Map();
    numbersOf(structure[4], Float32Array).forEach((each, k) => {
      energy.set(Math.min(ends[2 * k], ends[2 * k + 1]) + "," + Math.max(ends[2 * k], ends[2 * k + 1]), this.colour(each));
    });
    for (let a = 0; a < atoms.length; a++) {
      for (let b = a + 1; b < atoms.length; b++) {
        const limit = 1.3 * (this.radii[kinds[a]] + this.radii[kinds[b]]);
        const far = (atoms[a].x - atoms[b].x) ** 2 + (atoms[a].y - atoms[b].y) ** 2 + (atoms[a].z - atoms[b].z) ** 2;
        if (far > limit * limit || far === 0) continue;
        const color = energy.get(a + "," + b) || "#9aa1ab";
        for (const [one, other] of [[a, b], [b, a]]) {
          atoms[one].bonds.push(other);
          atoms[one].bondOrder.push(1);
          atoms[one].bondStyles.push({ color1: color, color2: color });
        }
      }
    }
    const viewer = this.viewer, isBond = atoms[first].bonds.includes(second);
    const mark = this.dark.matches ? "#ff6aa2" : "#c2185b", ink = this.dark.matches ? "#e7eaee" : "#1d2127";
    viewer.enableFog(!structure[2]);
    viewer.removeAllModels();
    viewer.removeAllShapes();
    viewer.removeAllLabels();
    viewer.addModel().addAtoms(atoms);
    // The bond's own molecule stands out, and what is around it is thin; where all is joined, as in a crystal, two
    // bonds in every direction stand out.
    let own = this.joined(atoms, [first, second], Infinity);
    if (!structure[2] && own.size > 40) own = this.joined(atoms, [first, second], 2);
    const others = [...atoms.keys()].filter((k) => !own.has(k));
    viewer.setStyle({}, { stick: { radius: 0.1, colorscheme: "Jmol" }, sphere: { scale: 0.24, colorscheme: "Jmol" } });
    if (others.length) {
      viewer.setStyle({ index: others }, { stick: { radius: 0.035, colorscheme: "Jmol" }, sphere: { scale: 0.08, colorscheme: "Jmol" } });
    }
    const end = (k) => ({ x: atoms[k].x, y: atoms[k].y, z: atoms[k].z });
    // What is marked, for whoever drives the page.
    this.box.dataset.ends = JSON.stringify([first, second].map((k) => [atoms[k].elem, atoms[k].x, atoms[k].y, atoms[k].z]));
    viewer.addCylinder({ start: end(first), end: end(second), radius: 0.17, color: this.colour(D), dashed: !isBond, dashLength: 0.2, gapLength: 0.15, fromCap: 1, toCap: 1 });
    // A ring about its middle: the chosen bond, whatever its colour.
    viewer.addCylinder({ start: { x: -0.07, y: 0, z: 0 }, end: { x: 0.07, y: 0, z: 0 }, radius: 0.27, color: mark, fromCap: 1, toCap: 1 });
    [[first, -1], [second, 1]].forEach(([k, side], n) => {
      const position = { x: atoms[k].x + 0.3 * side, y: atoms[k].y, z: atoms[k].z };
      viewer.addLabel(names[n], {
        position, fontSize: 14, bold: true, fontColor: ink, backgroundColor: this.dark.matches ? "#1e2229" : "#f4f5f7",
        backgroundOpacity: 0.75, alignment: side < 0 ? "centerRight" : "centerLeft", inFront: true,
      });
    });
    // Large pieces fill the window with what is near the bond; the rest is there to be zoomed out to.
    const near = [];
    const reach = structure[2] ? 8 : 5;
    atoms.forEach((atom, k) => { if (Math.hypot(atom.x, atom.y, atom.z) < reach) near.push(k); });
    viewer.setView([0, 0, 0, 0, 0, 0, 0, 1]);
    viewer.zoomTo({ index: near });
    this.home = viewer.getView();
    viewer.render();
  }
}
