// The report of a collection: what is pointed at and chosen, on the map and in the list.

const data = JSON.parse(document.getElementById("data").textContent);
const by = (id) => document.getElementById(id);
const nameOf = (row) => data.title[row] || data.id[row];
const hidden = new Set();
const canvas = by("canvas"), tip = by("tip");

const facts = (row) => [
  data.artist[row],
  data.title[row] ? data.id[row] : "",
  data.groupedBy ? data.groups[data.group[row]] : "",
  data.tempo ? `${data.tempo[row].toFixed(1)} beats a minute` : "",
  data.loudness ? `${data.loudness[row].toFixed(1)} ${data.loudnessUnit}` : "",
].filter(Boolean);

const lineOf = (text) => { const line = element("div", {}); line.append(element("bdi", { textContent: text })); return line; };

const choice = (row) => {
  const button = element("button", { type: "button", className: "plain" });
  button.append(element("bdi", { textContent: nameOf(row) }));
  button.addEventListener("click", () => choose(row));
  return button;
};

const map = new PointMap(canvas, data.x, data.y, data.group, {
  shown: (group) => !hidden.has(group),
  onPoint: point,
  onChoose: choose,
});

function point(row) {
  tip.hidden = row < 0;
  if (row < 0) return;
  tip.replaceChildren(element("strong", {}), ...facts(row).slice(0, 3).map(lineOf));
  tip.firstChild.append(element("bdi", { textContent: nameOf(row) }));
  const [x, y] = map.place(row);
  tip.style.left = `${Math.max(0, Math.min(canvas.clientWidth - tip.offsetWidth, x + 12))}px`;
  tip.style.top = `${y + 14 + tip.offsetHeight > canvas.clientHeight ? Math.max(0, y - 14 - tip.offsetHeight) : y + 14}px`;
  if (document.activeElement === canvas) by("said").textContent = [nameOf(row), ...facts(row)].join(", ");
}

function choose(row, play = false) {
  const panel = by("chosen"), title = element("h3", {});
  title.append(element("bdi", { textContent: nameOf(row) }));
  panel.replaceChildren(title, ...facts(row).map(lineOf));
  if (data.file[row]) {
    const player = element("audio", { controls: true, preload: "none", src: data.file[row] });
    player.setAttribute("aria-label", `Play ${nameOf(row)}`);
    panel.append(player);
    if (play) player.play().catch(() => panel.append(lineOf("The file cannot be played here.")));
  }
  if (data.near[row].length) {
    const near = element("ol", {});
    data.near[row].forEach((other, place) => {
      const item = element("li", {});
      item.append(choice(other), ` ${data.apart[row][place]}`);
      near.append(item);
    });
    panel.append(element("p", { className: "quiet", textContent: "Nearest tracks, and how far they are:" }), near);
  }
  hidden.delete(data.group[row]);
  writeGroups();
  map.show(row);
  list.mark(row);
}

function writeGroups() {
  if (data.groups.length < 2) return;
  by("groups").replaceChildren(...data.groups.map((group, number) => {
    const button = element("button", { type: "button" });
    button.setAttribute("aria-pressed", String(!hidden.has(number)));
    button.append(sign(number), element("bdi", { textContent: group }));
    button.addEventListener("click", () => {
      if (!hidden.delete(number)) hidden.add(number);
      writeGroups();
      by("groups").children[number].focus();
      map.draw();
    });
    return button;
  }));
}

function sign(group) { // the shape and colour of a group, as on the map
  const small = element("canvas", { width: 24, height: 24, className: "sign" });
  const context = small.getContext("2d");
  context.fillStyle = colourOf(group);
  context.beginPath();
  shapeOf(group)(context, 12, 12, 8);
  context.fill();
  small.setAttribute("aria-hidden", "true");
  return small;
}

const number = (title, cells) => ({ title, kind: "number", cells, show: (value) => value.toFixed(1) });
const columns = [{ title: "title", kind: "", cells: data.id.map((_, row) => nameOf(row)) }];
if (data.title.some(Boolean)) columns.push({ title: "id", kind: "spare", cells: data.id });
if (data.artist.some(Boolean)) columns.push({ title: "artist", kind: "spare", cells: data.artist });
if (data.groupedBy) columns.push({ title: data.groupedBy, kind: "", cells: data.group.map((group) => data.groups[group]) });
if (data.tempo) columns.push(number("tempo", data.tempo));
if (data.loudness) columns.push(number(data.loudnessUnit, data.loudness));
const texts = data.id.map((id, row) =>
  folded([id, data.title[row], data.artist[row], data.groups[data.group[row]]].join(" ")));
const list = new TrackList(by("scroller"), columns, texts, {
  onChoose: choose,
  onPlay: (row) => choose(row, true),
  playable: data.file.some(Boolean) ? (row) => data.file[row] : null,
});

const count = (found) => { by("count").textContent = `${found.toLocaleString("en")} of ${texts.length.toLocaleString("en")} tracks`; };
by("search").addEventListener("input", (event) => count(list.filter(event.target.value)));
by("closer").addEventListener("click", () => map.zoomBy(1.5));
by("farther").addEventListener("click", () => map.zoomBy(1 / 1.5));
by("whole").addEventListener("click", () => map.zoomBy(0));
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button[data-row]");
  if (!button) return;
  choose(Number(button.dataset.row));
  by("map").scrollIntoView();
});
darkScreen.addEventListener("change", writeGroups);
writeGroups();
count(texts.length);
list.draw(true);
