// What is chosen: a pair label, bins of its map, a bond; every part of the page follows from that.
const data = JSON.parse(document.getElementById("e3d-data").textContent);
const at = (id) => document.getElementById(id);
const whole = (n) => n.toLocaleString("en");
const sure = (value) => signed(value, 4);
const bonds = data.bonds;
const map = new DAMap(at("map"), data.width, data.colours);
const view = new BondView(at("view"), at("view-problem"), data.elements, data.radii, data.scale, data.colours);
const state = { label: 0, bin: null, list: [], place: -1 };

// One sampled bond. A pair of like elements is in the map at +A and -A, with half weight each.
function bond(k) {
  const e12 = bonds.e12[k], e21 = bonds.e21[k], D = e12 + e21, A = e12 - e21;
  const [one, two] = data.labels[bonds.label[k]].name.split("-");
  const source = data.sources[bonds.source[k]];
  const names = [one + bonds.i[k], two + bonds.j[k]];
  return { k, e12, e21, D, A, names, title: names.join(" – "), source, length: bonds.length[k] };
}

const binsOf = ({ D, A }, like) => {
  const d = Math.floor(D / data.width), keys = [keyOf(d, Math.floor(A / data.width))];
  if (like) keys.push(keyOf(d, Math.floor(-A / data.width)));
  return new Set(keys);
};

let byBin = new Map();
function setLabel(index) {
  const label = data.labels[index];
  state.label = index;
  byBin = new Map();
  map.points = [];
  for (let k = label.bonds[0]; k < label.bonds[1]; k++) {
    const one = bond(k);
    for (const key of binsOf(one, label.like)) {
      if (!byBin.has(key)) byBin.set(key, []);
      byBin.get(key).push(k);
    }
    map.points.push({ D: one.D, A: one.A, k });
    if (label.like && one.A) map.points.push({ D: one.D, A: -one.A, k });
  }
  const small = document.createElement("sub");
  small.textContent = "2D";
  at("pair-facts").replaceChildren(`${label.name}: ${whole(label.count)} bonds, H`, small,
    ` = ${label.entropy.toFixed(3)} nats, mean D = ${signed(label.mean_D, 3)} eV` +
    (label.like ? "; like elements: ½ at +A, ½ at −A" : ""));
  map.chosen = new Set();
  map.marked = [];
  map.setLabel(label);
  const most = label.bins.w.indexOf(map.most);
  map.pick([label.bins.d[most], label.bins.a[most]]);
}

function choose(bin, point) {
  state.bin = bin;
  const spread = at("spread").value;
  map.chosen = map.around(bin, spread === "island" ? spread : Number(spread));
  const found = new Set();
  let weight = 0;
  for (const key of map.chosen) {
    weight += map.weight.get(key);
    for (const k of byBin.get(key) || []) found.add(k);
  }
  state.list = [...found].sort((a, b) => bonds.rank[a] - bonds.rank[b] || a - b);
  const several = map.chosen.size > 1;
  at("list-title").textContent = `${whole(weight)} ${weight === 1 ? "bond" : "bonds"} in ` +
    (several ? `${whole(map.chosen.size)} bins` : "this bin");
  at("list-note").textContent = (several ? "" : `D ${span(bin[0])} eV, A ${span(bin[1])} eV. `) +
    (state.list.length === 0
      ? "None of them is in this page: it holds a limited number of structures."
      : `${whole(state.list.length)} in this page, at most ${data.per_bin} of a bin, drawn evenly.`);
  fillList();
  // Of several bins, one of the clicked bin comes first into view.
  const here = byBin.get(keyOf(bin[0], bin[1])) || [];
  show(Math.max(0, point ? state.list.indexOf(point.k) : state.list.findIndex((k) => here.includes(k))));
}

const digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(data.width) - 1e-9)));
const span = (k) => `${signed(k * data.width, digits)} … ${signed((k + 1) * data.width, digits)}`;

const ROWS = 400;
function fillList() {
  const rows = state.list.slice(0, ROWS).map((k, place) => {
    const one = bond(k), item = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.textContent = `${one.title}  D ${signed(one.D, 3)}  A ${signed(one.A, 3)}  ${one.source}`;
    button.title = button.textContent;
    button.addEventListener("click", () => show(place));
    item.append(button);
    return item;
  });
  at("list").replaceChildren(...rows);
  at("list").scrollTop = 0;
}

function show(place) {
  const count = state.list.length;
  state.place = count ? (place + count) % count : -1;
  at("previous").disabled = at("next").disabled = count < 2;
  at("place").textContent = count ? `bond ${state.place + 1} of ${whole(count)}` : "";
  for (const [row, button] of at("list").querySelectorAll("button").entries()) {
    if (row === state.place) {
      button.setAttribute("aria-current", "true");
      button.scrollIntoView({ block: "nearest" });
    } else button.removeAttribute("aria-current");
  }
  const facts = [];
  map.marked = [];
  if (count) {
    const one = bond(state.list[state.place]), { k } = one, label = data.labels[state.label];
    at("bond-name").textContent = one.title;
    facts.push(["structure", one.source, "source"], ["D = ε₁₂ + ε₂₁", `${sure(one.D)} eV`, "D", one.D],
      ["A = ε₁₂ − ε₂₁", `${sure(one.A)} eV`, "A", one.A],
      ["ε₁₂", `${sure(one.e12)} eV  (${one.names[0]}→${one.names[1]})`, "e12", one.e12],
      ["ε₂₁", `${sure(one.e21)} eV  (${one.names[1]}→${one.names[0]})`, "e21", one.e21],
      ["length", `${one.length.toFixed(4)} Å`, "length", one.length],
      ["shown", data.structures[bonds.structure[k]][2] ? "the whole molecule" : `atoms up to ${data.radius} Å from its middle, with images`, "shown"]);
    map.marked = [one];
    if (label.like && one.A) map.marked.push({ D: one.D, A: -one.A });
    view.show(data.structures[bonds.structure[k]], bonds.first[k], bonds.second[k], one.names, one.D);
  } else at("bond-name").textContent = "No bond chosen";
  at("facts").replaceChildren(...facts.flatMap(([name, text, id, value]) => {
    const term = document.createElement("dt"), what = document.createElement("dd");
    term.textContent = name;
    what.textContent = text;
    what.id = "fact-" + id;
    if (value !== undefined) what.dataset.value = String(value);
    return [term, what];
  }));
  map.draw();
}

function start() {
  at("about").textContent = data.about;
  at("provenance").replaceChildren(...data.provenance.map(([name, text]) => {
    const line = document.createElement("div");
    line.textContent = `${name}: ${text}`;
    return line;
  }));
  at("pair").replaceChildren(...data.labels.map((label, k) => new Option(`${label.name}  (${whole(label.count)})`, k)));
  at("pair").addEventListener("change", (event) => setLabel(Number(event.target.value)));
  at("draw").addEventListener("change", (event) => { map.mode = event.target.value; map.draw(); });
  at("spread").addEventListener("change", () => state.bin && choose(state.bin));
  at("zoom-in").addEventListener("click", () => map.zoom(0.5));
  at("zoom-out").addEventListener("click", () => map.zoom(2));
  at("zoom-all").addEventListener("click", () => map.whole());
  at("previous").addEventListener("click", () => show(state.place - 1));
  at("next").addEventListener("click", () => show(state.place + 1));
  at("reset-view").addEventListener("click", () => view.reset());
  map.onPick = choose;
  map.onPoint = (bin) => {
    const weight = bin && map.weight.get(keyOf(bin[0], bin[1]));
    at("pointed").textContent = bin ? `D ${span(bin[0])}, A ${span(bin[1])} eV: ${whole(weight || 0)} ${weight === 1 ? "bond" : "bonds"}` : "\u00a0";
  };
  at("scale-low").textContent = `${signed(data.scale[0], 1)} eV`;
  at("scale-high").textContent = `${signed(data.scale[1], 1)} eV`;
  at("scale-bar").style.background = `linear-gradient(to right, ${data.colours.join(", ")})`;
  at("view-scale").hidden = !view.viewer;
  setLabel(0);
}
start();
