// A long table of which only the rows in view are there.

const BEYOND = 12; // rows above and below the view

class TrackList {
  // A column: { title, key: "number" or "", cells: texts or numbers, show(cell) }.
  constructor(scroller, columns, texts, { onChoose, onPlay, playable }) {
    Object.assign(this, { scroller, columns, texts, onChoose, onPlay, playable, chosen: -1, by: null, down: false });
    this.table = scroller.querySelector("table");
    this.head = this.table.tHead.rows[0];
    this.body = this.table.tBodies[0];
    this.rows = texts.map((_, row) => row);
    this.drawn = "";
    this.writeHead();
    scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    scroller.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw(true)).observe(scroller);
  }

  writeHead() {
    for (const column of this.columns) {
      const cell = element("th", { scope: "col", className: column.kind });
      const button = element("button", { type: "button", textContent: column.title });
      button.addEventListener("click", () => this.sort(column));
      cell.append(button);
      this.head.append(cell);
    }
    if (this.playable) this.head.append(element("th", { scope: "col", className: "play", textContent: "play" }));
  }

  sort(column) {
    this.down = this.by === column && !this.down;
    this.by = column;
    this.columns.forEach((one, place) => {
      const cell = this.head.cells[place], sorted = one === column;
      if (sorted) cell.setAttribute("aria-sort", this.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
      cell.firstChild.textContent = sorted ? `${one.title} ${this.down ? "▼" : "▲"}` : one.title;
    });
    this.order();
    this.scroller.scrollTop = 0;
    this.draw(true);
  }

  order() {
    if (!this.by) return;
    const { cells } = this.by, sign = this.down ? -1 : 1;
    const compare = typeof cells[0] === "number" ? (a, b) => a - b : new Intl.Collator(undefined, { numeric: true }).compare;
    this.rows.sort((a, b) => sign * compare(cells[a], cells[b]) || a - b);
  }

  filter(words) {
    const wanted = folded(words).split(/\s+/).filter(Boolean);
    this.rows = [];
    this.texts.forEach((text, row) => { if (wanted.every((word) => text.includes(word))) this.rows.push(row); });
    this.order();
    this.scroller.scrollTop = 0;
    this.draw(true);
    return this.rows.length;
  }

  get rowHeight() { return 2 * parseFloat(getComputedStyle(document.documentElement).fontSize) + 1; } // as in the style

  draw(anew = false) {
    const height = this.rowHeight, count = this.rows.length;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / height) - BEYOND);
    const last = Math.min(count, Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / height) + BEYOND);
    const drawn = `${first} ${last}`;
    if (!anew && drawn === this.drawn) return;
    this.drawn = drawn;
    const held = document.activeElement?.closest?.("#tracks tbody tr")?.dataset.row;
    const lines = [this.space(first * height)];
    for (let place = first; place < last; place++) lines.push(this.line(place));
    lines.push(this.space((count - last) * height));
    this.body.replaceChildren(...lines);
    this.table.setAttribute("aria-rowcount", count + 1);
    if (held !== undefined) {
      const again = this.body.querySelector(`tr[data-row="${held}"] button`);
      (again ?? this.scroller).focus({ preventScroll: true });
    }
  }

  space(height) {
    const line = element("tr", { className: "space" }), cell = element("td", {});
    cell.style.height = `${height}px`;
    line.setAttribute("aria-hidden", "true");
    line.append(cell);
    return line;
  }

  line(place) {
    const row = this.rows[place], line = element("tr", {});
    line.dataset.row = row;
    line.setAttribute("aria-rowindex", place + 2);
    if (row === this.chosen) line.setAttribute("aria-current", "true");
    this.columns.forEach((column, at) => {
      const text = column.show ? column.show(column.cells[row]) : column.cells[row];
      const cell = element(at ? "td" : "th", { className: column.kind, title: text });
      if (at) cell.textContent = text;
      else {
        cell.scope = "row";
        const button = element("button", { type: "button", className: "plain" });
        button.append(element("bdi", { textContent: text }));
        button.addEventListener("click", () => this.onChoose(row));
        cell.append(button);
      }
      line.append(cell);
    });
    if (this.playable) {
      const cell = element("td", { className: "play" });
      if (this.playable(row)) {
        const button = element("button", { type: "button", className: "plain", textContent: "▶" });
        button.setAttribute("aria-label", `Play ${this.columns[0].cells[row]}`);
        button.addEventListener("click", () => this.onPlay(row));
        cell.append(button);
      }
      line.append(cell);
    }
    return line;
  }

  mark(row) { this.chosen = row; this.draw(true); }

  key(event) {
    const held = document.activeElement?.closest?.("#tracks tbody tr")?.dataset.row;
    const at = held === undefined ? -1 : this.rows.indexOf(Number(held));
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.rowHeight) - 2);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: Infinity }[event.key];
    if (to === undefined || !this.rows.length || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.focus(Math.max(0, Math.min(this.rows.length - 1, to)));
  }

  focus(place) {
    const height = this.rowHeight, { scroller } = this;
    const below = (place + 2) * height - scroller.clientHeight; // the head stands over the first row
    if (scroller.scrollTop > place * height) scroller.scrollTop = place * height;
    else if (scroller.scrollTop < below) scroller.scrollTop = below;
    this.draw();
    this.body.querySelector(`tr[data-row="${this.rows[place]}"] button`).focus({ preventScroll: true });
  }
}

const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

function element(name, properties) { return Object.assign(document.createElement(name), properties); }
