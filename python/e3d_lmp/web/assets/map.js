// The D-A map of one pair label on a canvas: bins or points, the bin under the pointer, the chosen bins.
function niceStep(range, count) {
  const raw = range / count, power = 10 ** Math.floor(Math.log10(raw));
  return power * [1, 2, 5, 10].find((k) => k * power >= raw * 0.999);
}

function signed(value, digits) {
  const text = Math.abs(value).toFixed(digits);
  return (value < 0 && Number(text) ? "−" : "") + text;
}

const keyOf = (d, a) => d + "," + a;

// Islands of a map {key: bonds}: {key: name of its island}. From the heaviest bin down, a bin joins the highest peak
// that it touches. Peaks that meet there are one island, unless the bin is less than half of the lower peak, by more
// than chance makes it: the square root of a count has a standard deviation of 1/2, whatever the count.
function islandsOf(weight) {
  const island = new Map(), peak = new Map(), parent = new Map();
  const root = (name) => { while (parent.get(name) !== name) name = parent.get(name); return name; };
  for (const [key, w] of [...weight].sort((one, two) => two[1] - one[1])) {
    const [d, a] = key.split(",").map(Number), near = new Set();
    for (let x = -1; x <= 1; x++) for (let y = -1; y <= 1; y++) {
      const other = island.get(keyOf(d + x, a + y));
      if (other !== undefined) near.add(root(other));
    }
    const [highest, ...others] = [...near].sort((one, two) => peak.get(two) - peak.get(one));
    if (highest === undefined) { parent.set(key, key); peak.set(key, w); }
    island.set(key, highest === undefined ? key : highest);
    for (const lower of others) {
      const high = peak.get(lower);
      if (w >= high / 2 || Math.sqrt(high) - Math.sqrt(w) < 1.5) parent.set(lower, highest);
    }
  }
  for (const [key, name] of island) island.set(key, root(name));
  return island;
}

class DAMap {
  // label: {bins: {d, a, w}}; width of the bins, eV; onPick(d, a), onPoint(d, a) get bins; points(): [{D, A}].
  constructor(canvas, width, colours) {
    Object.assign(this, { canvas, width, colours });
    this.chosen = new Set();
    this.marked = [];
    this.points = [];
    this.mode = "bins";
    this.onPick = this.onPoint = () => {};
    canvas.addEventListener("click", (event) => this.pick(this.binAt(event)));
    canvas.addEventListener("pointermove", (event) => this.onPoint(this.binAt(event)));
    canvas.addEventListener("pointerleave", () => this.onPoint(null));
    canvas.addEventListener("keydown", (event) => this.step(event));
    new ResizeObserver(() => this.draw()).observe(canvas);
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.dark.addEventListener("change", () => this.draw());
  }

  setLabel(label) {
    this.label = label;
    this.weight = new Map();
    label.bins.w.forEach((w, k) => this.weight.set(keyOf(label.bins.d[k], label.bins.a[k]), w));
    this.most = label.bins.w.reduce((a, b) => Math.max(a, b), 1);
    this.islands = islandsOf(this.weight);
    this.cursor = null;
    this.whole();
  }

  whole() {
    const { d, a } = this.label.bins, w = this.width;
    const span = (k) => {
      const low = k.reduce((x, y) => Math.min(x, y)) * w, high = (k.reduce((x, y) => Math.max(x, y)) + 1) * w;
      const margin = Math.max(0.04 * (high - low), 2 * w);
      return [low - margin, high + margin];
    };
    this.range = { x: span(d), y: span(a) };
    this.draw();
  }

  zoom(factor) {
    const at = this.cursor;
    for (const [axis, k] of [["x", 0], ["y", 1]]) {
      const [low, high] = this.range[axis];
      const middle = at ? (at[k] + 0.5) * this.width : (low + high) / 2;
      const half = Math.max(((high - low) / 2) * factor, 2 * this.width);
      this.range[axis] = [middle - half, middle + half];
    }
    this.draw();
  }

  get frame() {
    return { left: 64, top: 10, right: this.canvas.clientWidth - 76, bottom: this.canvas.clientHeight - 46 };
  }

  toX(D) { const f = this.frame, [a, b] = this.range.x; return f.left + ((D - a) / (b - a)) * (f.right - f.left); }
  toY(A) { const f = this.frame, [a, b] = this.range.y; return f.bottom - ((A - a) / (b - a)) * (f.bottom - f.top); }

  // The bin [d, a] at a pointer event, or null outside the axes; in `points` mode that of the nearest point.
  binAt(event) {
    const box = this.canvas.getBoundingClientRect(), f = this.frame;
    const x = event.clientX - box.left, y = event.clientY - box.top;
    if (!this.label || x < f.left || x > f.right || y < f.top || y > f.bottom) return null;
    const D = this.range.x[0] + ((x - f.left) / (f.right - f.left)) * (this.range.x[1] - this.range.x[0]);
    const A = this.range.y[0] + ((f.bottom - y) / (f.bottom - f.top)) * (this.range.y[1] - this.range.y[0]);
    let point = null;
    if (this.mode === "points") {
      let least = 12 ** 2;
      for (const one of this.points) {
        const far = (this.toX(one.D) - x) ** 2 + (this.toY(one.A) - y) ** 2;
        if (far < least) { least = far; point = one; }
      }
    }
    const bin = [Math.floor((point ? point.D : D) / this.width), Math.floor((point ? point.A : A) / this.width)];
    bin.point = point;
    return bin;
  }

  // The bin with bonds nearest to a bin, at most two bins away: small bins are hard to hit.
  nearest(bin) {
    let best = null, least = 2.5 ** 2;
    const { d, a } = this.label.bins;
    for (let k = 0; k < d.length; k++) {
      const far = (d[k] - bin[0]) ** 2 + (a[k] - bin[1]) ** 2;
      if (far < least) { least = far; best = [d[k], a[k]]; }
    }
    return best;
  }

  pick(bin) {
    if (!bin) return;
    const near = this.weight.has(keyOf(bin[0], bin[1])) ? [bin[0], bin[1]] : this.nearest(bin);
    if (!near) return;
    this.cursor = near;
    this.onPick(near, bin.point || null);
  }

  // Arrow keys: the next bin with bonds in that direction.
  step(event) {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!move || !this.label) return;
    event.preventDefault();
    const { d, a, w } = this.label.bins;
    let best = null, least = Infinity;
    const from = this.cursor;
    for (let k = 0; k < d.length; k++) {
      if (!from) {
        if (-w[k] < least) { least = -w[k]; best = [d[k], a[k]]; }
        continue;
      }
      const dx = d[k] - from[0], dy = a[k] - from[1];
      const along = dx * move[0] + dy * move[1], across = Math.abs(dx * move[1]) + Math.abs(dy * move[0]);
      if (along > 0 && along + 2 * across < least) { least = along + 2 * across; best = [d[k], a[k]]; }
    }
    if (best) this.pick(best);
  }

  // Keys of the bins around a bin: those up to `spread` bins away, or those of its island.
  around(bin, spread) {
    const found = new Set();
    if (spread !== "island") {
      for (let x = -spread; x <= +spread; x++) {
        for (let y = -spread; y <= +spread; y++) {
          const key = keyOf(bin[0] + x, bin[1] + y);
          if (this.weight.has(key)) found.add(key);
        }
      }
      return found;
    }
    const island = this.islands.get(keyOf(bin[0], bin[1]));
    for (const [key, other] of this.islands) if (other === island) found.add(key);
    return found;
  }

  colour(weight) {
    const n = this.colours.length, low = Math.log(0.5), high = Math.max(Math.log(this.most), low + Math.log(2));
    const share = (Math.log(weight) - low) / (high - low);
    const k = Math.max(0, Math.min(n - 1, Math.floor(share * n)));
    // The figures' viridis, reversed on paper: many bonds stand out against the background.
    return this.colours[this.dark.matches ? Math.floor(n * 0.15 + k * 0.85) : n - 1 - k];
  }

  draw() {
    const canvas = this.canvas, ratio = window.devicePixelRatio || 1;
    const wide = canvas.clientWidth, high = canvas.clientHeight;
    if (!this.label || !wide || !high) return;
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(high * ratio);
    const pen = canvas.getContext("2d"), f = this.frame, style = getComputedStyle(document.documentElement);
    const ink = (name) => style.getPropertyValue(name).trim();
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, wide, high);
    pen.font = "12px system-ui, 'DejaVu Sans', sans-serif";
    // Where the axes are, for whoever drives the page: pixels of the canvas, and eV.
    canvas.dataset.axes = JSON.stringify({ ...f, D: this.range.x, A: this.range.y });
    this.drawAxes(pen, f, ink);
    pen.save();
    pen.beginPath();
    pen.rect(f.left, f.top, f.right - f.left, f.bottom - f.top);
    pen.clip();
    if (this.mode === "bins") this.drawBins(pen);
    else this.drawPoints(pen, ink);
    // On a rim of paper, so that it is seen on every colour.
    for (const [colour, wide] of [["--paper", 4], ["--mark", 2]]) {
      pen.strokeStyle = ink(colour);
      pen.lineWidth = wide;
      for (const key of this.chosen) this.outline(pen, key);
      for (const one of this.marked) {
        pen.beginPath();
        pen.arc(this.toX(one.D), this.toY(one.A), 6, 0, 2 * Math.PI);
        pen.stroke();
      }
    }
    pen.restore();
    if (this.mode === "bins") this.drawScale(pen, f, ink);
  }

  drawBins(pen) {
    const { d, a, w } = this.label.bins, width = this.width;
    for (let k = 0; k < d.length; k++) {
      const x = this.toX(d[k] * width), y = this.toY((a[k] + 1) * width);
      pen.fillStyle = this.colour(w[k]);
      pen.fillRect(x, y, Math.max(this.toX((d[k] + 1) * width) - x, 1) + 0.3, Math.max(this.toY(a[k] * width) - y, 1) + 0.3);
    }
  }

  drawPoints(pen, ink) {
    pen.fillStyle = ink("--focus");
    pen.globalAlpha = 0.55;
    for (const one of this.points) {
      pen.beginPath();
      pen.arc(this.toX(one.D), this.toY(one.A), 2.5, 0, 2 * Math.PI);
      pen.fill();
    }
    pen.globalAlpha = 1;
  }

  // The sides of a chosen bin that no other chosen bin shares.
  outline(pen, key) {
    const [d, a] = key.split(",").map(Number), w = this.width;
    const [x0, x1] = [this.toX(d * w), this.toX((d + 1) * w)], [y0, y1] = [this.toY(a * w), this.toY((a + 1) * w)];
    const sides = [[-1, 0, x0, y0, x0, y1], [1, 0, x1, y0, x1, y1], [0, -1, x0, y0, x1, y0], [0, 1, x0, y1, x1, y1]];
    for (const [dx, dy, ...line] of sides) {
      if (this.chosen.has(keyOf(d + dx, a + dy))) continue;
      pen.beginPath();
      pen.moveTo(line[0], line[1]);
      pen.lineTo(line[2], line[3]);
      pen.stroke();
    }
  }

  drawAxes(pen, f, ink) {
    pen.lineWidth = 1;
    const ticks = (axis, count, place) => {
      const [low, high] = this.range[axis], step = niceStep(high - low, count);
      const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
      for (let k = Math.ceil(low / step); k * step <= high; k++) place(k * step, signed(k ? k * step : 0, digits), k === 0);
    };
    const line = (x0, y0, x1, y1, colour) => {
      pen.strokeStyle = colour;
      pen.beginPath();
      pen.moveTo(x0, y0);
      pen.lineTo(x1, y1);
      pen.stroke();
    };
    pen.fillStyle = ink("--quiet");
    pen.textAlign = "center";
    pen.textBaseline = "top";
    ticks("x", Math.max(3, (f.right - f.left) / 70), (value, text, zero) => {
      line(this.toX(value), f.bottom, this.toX(value), f.bottom + 4, ink("--quiet"));
      if (zero) line(this.toX(value), f.top, this.toX(value), f.bottom, ink("--line"));
      pen.fillText(text, this.toX(value), f.bottom + 7);
    });
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    ticks("y", Math.max(3, (f.bottom - f.top) / 45), (value, text, zero) => {
      line(f.left - 4, this.toY(value), f.left, this.toY(value), ink("--quiet"));
      if (zero) line(f.left, this.toY(value), f.right, this.toY(value), ink("--line"));
      pen.fillText(text, f.left - 7, this.toY(value));
    });
    pen.strokeStyle = ink("--quiet");
    pen.strokeRect(f.left, f.top, f.right - f.left, f.bottom - f.top);
    pen.fillStyle = ink("--ink");
    pen.textAlign = "center";
    pen.fillText("bond energy D = ε₁₂ + ε₂₁ (eV)", (f.left + f.right) / 2, f.bottom + 34);
    pen.save();
    pen.translate(12, (f.top + f.bottom) / 2);
    pen.rotate(-Math.PI / 2);
    pen.fillText("asymmetry A = ε₁₂ − ε₂₁ (eV)", 0, 0);
    pen.restore();
  }

  drawScale(pen, f, ink) {
    const x = f.right + 14, high = Math.min(180, f.bottom - f.top - 30), top = f.top + 22;
    const low = Math.log(0.5), span = Math.max(Math.log(this.most), low + Math.log(2)) - low;
    for (let k = 0; k < high; k++) {
      pen.fillStyle = this.colour(Math.exp(low + (1 - k / high) * span));
      pen.fillRect(x, top + k, 12, 1.5);
    }
    pen.fillStyle = ink("--quiet");
    pen.textAlign = "left";
    pen.fillText("per bin", x, f.top + 8);
    const marks = [];
    for (let n = 1; n <= this.most; n *= 10) marks.push(...(this.most < 100 ? [n, 2 * n, 5 * n] : [n]));
    for (const n of marks.filter((mark) => mark <= this.most)) {
      const y = top + high * (1 - (Math.log(n) - low) / span);
      pen.fillText(n >= 1e6 ? n.toExponential(0).replace("+", "") : n.toLocaleString("en"), x + 16, y);
    }
  }
}
