"use strict";
// A map of points on a canvas: drawn, pointed at, zoomed, and walked over by the keys.

const PALETTES = {
  light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#7b3fb5", "#a0522d", "#5c7c00", "#c2185b"],
  dark: ["#56b4e9", "#ff9a4d", "#2fc79a", "#ee9fc7", "#f0e442", "#9fd3ff", "#c39bff", "#d9a182", "#b7d957", "#ff7aa8"],
};
const SHAPES = [
  (c, x, y, r) => c.arc(x, y, r, 0, 2 * Math.PI),
  (c, x, y, r) => c.rect(x - r * .9, y - r * .9, r * 1.8, r * 1.8),
  (c, x, y, r) => { c.moveTo(x, y - r * 1.2); c.lineTo(x + r * 1.1, y + r * .8); c.lineTo(x - r * 1.1, y + r * .8); c.closePath(); },
  (c, x, y, r) => { c.moveTo(x, y - r * 1.3); c.lineTo(x + r * 1.3, y); c.lineTo(x, y + r * 1.3); c.lineTo(x - r * 1.3, y); c.closePath(); },
];
const REACH = 18; // pixels about the pointer
const CLOSEST = 60;

const darkScreen = matchMedia("(prefers-color-scheme: dark)");
const colourOf = (group) => { const all = PALETTES[darkScreen.matches ? "dark" : "light"]; return all[group % all.length]; };
const shapeOf = (group) => SHAPES[group % SHAPES.length];

class PointMap {
  // `shown(group)` says whether a group is drawn; `onPoint(row)` and `onChoose(row)` are told, with -1 for none.
  constructor(canvas, xs, ys, groups, { shown, onPoint, onChoose }) {
    Object.assign(this, { canvas, xs, ys, groups, shown, onPoint, onChoose, pointed: -1, chosen: -1 });
    this.context = canvas.getContext("2d");
    const [left, right] = extent(xs), [low, high] = extent(ys);
    this.home = { x: (left + right) / 2, y: (low + high) / 2, width: (right - left) || 1, height: (high - low) || 1 };
    this.reset();
    this.listen();
    new ResizeObserver(() => this.draw()).observe(canvas);
    darkScreen.addEventListener("change", () => this.draw());
  }

  reset() { this.centre = { x: this.home.x, y: this.home.y }; this.zoom = 1; }

  place(row) { // on the canvas, in CSS pixels
    const { clientWidth: w, clientHeight: h } = this.canvas;
    const kx = this.zoom * (w - 40) / this.home.width, ky = this.zoom * (h - 40) / this.home.height;
    return [w / 2 + (this.xs[row] - this.centre.x) * kx, h / 2 - (this.ys[row] - this.centre.y) * ky];
  }

  draw() {
    const { canvas, context: c } = this, scale = devicePixelRatio || 1;
    const { clientWidth: w, clientHeight: h } = canvas;
    canvas.width = Math.round(w * scale); canvas.height = Math.round(h * scale);
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.clearRect(0, 0, w, h);
    const size = Math.min(6, Math.max(2, 60 / Math.sqrt(this.xs.length)) * Math.sqrt(this.zoom));
    const paths = new Map();
    for (let row = 0; row < this.xs.length; row++) {
      const group = this.groups[row];
      if (!this.shown(group)) continue;
      const [x, y] = this.place(row);
      if (x < -9 || y < -9 || x > w + 9 || y > h + 9) continue;
      if (!paths.has(group)) paths.set(group, new Path2D());
      const one = paths.get(group);
      one.moveTo(x + size, y);
      shapeOf(group)(one, x, y, size);
    }
    c.globalAlpha = .75;
    for (const [group, path] of paths) { c.fillStyle = colourOf(group); c.fill(path); }
    c.globalAlpha = 1;
    c.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--ink");
    c.lineWidth = 2;
    for (const row of [this.chosen, this.pointed]) {
      if (row < 0) continue;
      const [x, y] = this.place(row);
      c.beginPath(); c.arc(x, y, size + 4, 0, 2 * Math.PI); c.stroke();
      if (row === this.chosen) { c.beginPath(); c.arc(x, y, size + 8, 0, 2 * Math.PI); c.stroke(); }
    }
  }

  nearest(x, y, reach = Infinity, allowed = () => true) {
    let best = -1, least = reach * reach;
    for (let row = 0; row < this.xs.length; row++) {
      if (!this.shown(this.groups[row])) continue;
      const [px, py] = this.place(row), far = (px - x) ** 2 + (py - y) ** 2;
      if (far < least && allowed(row, px - x, py - y)) { best = row; least = far; }
    }
    return best;
  }

  point(row) { if (row !== this.pointed) { this.pointed = row; this.draw(); } this.onPoint(row); }

  show(row) { // brings a track into view, and marks it
    this.chosen = row;
    const [x, y] = this.place(row), { clientWidth: w, clientHeight: h } = this.canvas;
    if (x < 0 || y < 0 || x > w || y > h) this.centre = { x: this.xs[row], y: this.ys[row] };
    this.draw();
  }

  zoomBy(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const zoom = Math.min(CLOSEST, Math.max(1, this.zoom * factor)), ratio = 1 / this.zoom - 1 / zoom;
    const { clientWidth: w, clientHeight: h } = this.canvas;
    this.centre.x += (x - w / 2) * this.home.width / (w - 40) * ratio;
    this.centre.y -= (y - h / 2) * this.home.height / (h - 40) * ratio;
    this.zoom = zoom;
    if (zoom === 1) this.reset();
    this.canvas.style.touchAction = zoom > 1 ? "none" : "pan-y";
    this.draw();
    if (this.pointed >= 0) this.onPoint(this.pointed);
  }

  move(dx, dy) {
    this.centre.x -= dx * this.home.width / (this.canvas.clientWidth - 40) / this.zoom;
    this.centre.y += dy * this.home.height / (this.canvas.clientHeight - 40) / this.zoom;
    this.draw();
  }

  step(dx, dy) { // the next track in a direction, within 45 degrees of it
    const { clientWidth: w, clientHeight: h } = this.canvas;
    const from = this.pointed >= 0 ? this.pointed : this.chosen >= 0 ? this.chosen : this.nearest(w / 2, h / 2);
    if (from < 0) return;
    if (this.pointed < 0) return this.point(from);
    const [x, y] = this.place(from);
    const next = this.nearest(x, y, Infinity, (row, ax, ay) =>
      row !== from && ax * dx + ay * dy > 0 && ax * dx + ay * dy >= Math.abs(ax * dy) + Math.abs(ay * dx));
    if (next < 0) return;
    const [nx, ny] = this.place(next);
    if (nx < 0 || ny < 0 || nx > w || ny > h) this.centre = { x: this.xs[next], y: this.ys[next] };
    this.point(next);
  }

  listen() {
    const { canvas } = this;
    let from = null, dragged = false;
    canvas.addEventListener("pointerdown", (event) => { from = event; dragged = false; });
    canvas.addEventListener("pointermove", (event) => {
      if (from && event.buttons && this.zoom > 1) {
        const dx = event.offsetX - from.offsetX, dy = event.offsetY - from.offsetY;
        if (!dragged && Math.hypot(dx, dy) < 4) return;
        if (!dragged) canvas.setPointerCapture(event.pointerId);
        dragged = true; from = event;
        this.point(-1);
        this.move(dx, dy);
      } else this.point(this.nearest(event.offsetX, event.offsetY, REACH));
    });
    canvas.addEventListener("pointerleave", () => { from = null; this.point(-1); });
    canvas.addEventListener("pointercancel", () => { from = null; });
    canvas.addEventListener("click", (event) => {
      const row = dragged ? -1 : this.nearest(event.offsetX, event.offsetY, REACH);
      from = null;
      if (row >= 0) this.onChoose(row);
    });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && this.zoom === 1 && event.deltaY > 0) return; // the page scrolls on
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
    }, { passive: false });
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (steps[event.key]) this.step(...steps[event.key]);
      else if (event.key === "Enter" || event.key === " ") { if (this.pointed >= 0) this.onChoose(this.pointed); }
      else if (event.key === "+" || event.key === "=") this.zoomBy(1.5);
      else if (event.key === "-") this.zoomBy(1 / 1.5);
      else if (event.key === "0") { this.reset(); this.draw(); }
      else if (event.key === "Escape") this.point(-1);
      else return;
      event.preventDefault();
    });
    canvas.addEventListener("blur", () => this.point(-1));
  }
}

function extent(values) {
  let least = Infinity, most = -Infinity;
  for (const value of values) { if (value < least) least = value; if (value > most) most = value; }
  return [least, most];
}
