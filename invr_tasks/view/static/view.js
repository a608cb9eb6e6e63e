"use strict";
const one = (id) => document.getElementById(id);
const stage = one("stage");
const pen = stage.getContext("2d");
const lane = Math.random().toString(36).slice(2);
const SPEEDS = [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16];
const FINE = 50; // positions of the time slider from one frame to the next
const MOST_ZOOM = 32;
const SETTLED = 180; // ms after the last move until a picture of full size is asked for
const view = { t: 0, zoom: 1, x: 0.5, y: 0.5, playing: false };
let facts;
let movedAt = 0;
let arrivals = [];

/** One half of the stage: asks for one picture at a time, and next for the newest that is wanted. */
class Side {
  constructor(select) {
    this.select = select;
    this.busy = false;
    this.asked = "";
    this.shown = null;
  }

  async want() {
    if (this.busy || !this.visible()) return;
    const query = this.query();
    if (query === this.asked) return;
    this.busy = true;
    this.asked = query;
    const region = window_();
    try {
      const answer = await fetch(`/frame?${query}&lane=${lane}-${this.select.id}`);
      if (answer.ok) {
        this.shown = { picture: await createImageBitmap(await answer.blob()), region };
        arrivals.push(performance.now());
        one("trouble").textContent = "";
        draw();
      } else if (answer.status !== 409) one("trouble").textContent = (await answer.json()).error;
    } catch {
      one("trouble").textContent = "The viewer does not answer; is `invr view` still running?";
      pause();
    }
    this.busy = false;
    if (this.query() !== query) this.want();
  }

  visible() {
    return this.select.id === "left" ? one("wipe").value > 0 : one("wipe").value < 100;
  }

  query() {
    const { x, y, size } = window_();
    const full = Math.min(stage.width * view.zoom, Math.sqrt((facts.pixels * facts.size[1]) / facts.size[0]) - 1);
    const moving = view.playing || performance.now() - movedAt < SETTLED;
    const width = Math.round(moving ? Math.min(full, Math.max(facts.size[1], full / 2)) : full);
    const [left, top, side] = [x, y, size].map((value) => value.toFixed(6));
    return new URLSearchParams({ part: this.select.value, t: view.t.toFixed(6), width, left, top, w: side, h: side }).toString();
  }
}
const sides = [new Side(one("left")), new Side(one("right"))];

/** What of the frame is seen: its left and upper edge, and its extent, in fractions. */
function window_() {
  const size = 1 / view.zoom;
  view.x = Math.min(Math.max(view.x, size / 2), 1 - size / 2);
  view.y = Math.min(Math.max(view.y, size / 2), 1 - size / 2);
  return { x: Math.max(view.x - size / 2, 0), y: Math.max(view.y - size / 2, 0), size: Math.min(size, 1) };
}

function draw() {
  const now = window_();
  const edge = (stage.width * one("wipe").value) / 100;
  pen.clearRect(0, 0, stage.width, stage.height);
  sides.forEach((side, right) => {
    if (!side.shown) return;
    const { picture, region } = side.shown;
    pen.save();
    pen.beginPath();
    if (right) pen.rect(edge, 0, stage.width - edge, stage.height);
    else pen.rect(0, 0, edge, stage.height);
    pen.clip();
    pen.imageSmoothingEnabled = picture.width < stage.width * 4;
    const scale = (stage.width * region.size) / now.size;
    const tall = (stage.height * region.size) / now.size;
    pen.drawImage(picture, ((region.x - now.x) / now.size) * stage.width, ((region.y - now.y) / now.size) * stage.height, scale, tall);
    pen.restore();
  });
  if (edge > 0 && edge < stage.width) {
    pen.fillStyle = "#fff";
    pen.shadowColor = "#000";
    pen.shadowBlur = 4;
    pen.fillRect(edge - 1.5, 0, 3, stage.height);
    pen.beginPath();
    pen.arc(edge, stage.height / 2, 14, 0, 7);
    pen.fill();
    pen.shadowBlur = 0;
    pen.fillStyle = "#16181d";
    pen.font = "18px system-ui";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText("↔", edge, stage.height / 2);
  }
}

function update(moved = true) {
  if (moved) movedAt = performance.now();
  const [first, last] = facts.span;
  view.t = Math.min(Math.max(view.t, first), last);
  one("time").value = Math.round(((view.t - first) / facts.step) * FINE);
  one("time").setAttribute("aria-valuetext", `${view.t.toFixed(4)} seconds`);
  one("clock").textContent = `${view.t.toFixed(4)} s${place()}`;
  one("zoom").textContent = `${Number(view.zoom.toFixed(1))}×`;
  sides.forEach((side) => {
    one(`${side.select.id}-tag`).textContent = side.select.value;
    side.want();
  });
  const told = [...new Set(sides.map((side) => side.select.value))].filter((name) => facts.parts[name]);
  one("told").textContent = told.map((name) => `${name}: ${facts.parts[name]}`).join(" · ");
  draw();
  clearTimeout(update.later);
  if (!view.playing) update.later = setTimeout(() => sides.forEach((side) => side.want()), SETTLED + 20);
}

/** Where between the given frames the instant lies. */
function place() {
  const after = facts.frames.findIndex((time) => time > view.t);
  if (after < 1) return "";
  const [a, b] = [facts.frames[after - 1], facts.frames[after]];
  return ` · frame ${(after - 1 + (view.t - a) / (b - a)).toFixed(2)}`;
}

function play() {
  view.playing = true;
  one("play").textContent = "pause";
  let before = performance.now();
  let exact = view.t >= facts.span[1] ? facts.span[0] : view.t;
  const tick = (now) => {
    if (!view.playing) return;
    const speed = SPEEDS[one("speed").selectedIndex];
    const [first, last] = facts.span;
    exact += ((now - before) / 1000) * speed;
    before = now;
    if (exact > last) exact = first;
    const grid = (facts.step * speed) / 2; // so that the second time round is answered from what is kept
    view.t = first + Math.round((exact - first) / grid) * grid;
    update();
    arrivals = arrivals.filter((time) => now - time < 1000);
    one("rate").textContent = `${arrivals.length} pictures a second`;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}

function pause() {
  view.playing = false;
  one("play").textContent = "▶ play";
  one("rate").textContent = "";
  update();
}

function jump(direction) {
  if (view.playing) pause();
  const frames = direction > 0 ? facts.frames : [...facts.frames].reverse();
  const next = frames.find((time) => direction * (time - view.t) > 1e-6);
  view.t = next ?? view.t + direction * facts.step;
  update();
}

function zoom(factor, x = 0.5, y = 0.5) {
  const before = window_();
  const [px, py] = [before.x + x * before.size, before.y + y * before.size];
  view.zoom = Math.min(Math.max(view.zoom * factor, 1), MOST_ZOOM);
  view.x = px + (0.5 - x) / view.zoom;
  view.y = py + (0.5 - y) / view.zoom;
  update();
}

function at(event) {
  const box = stage.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height, box];
}

let held = null;
stage.addEventListener("pointerdown", (event) => {
  const [x, y, box] = at(event);
  const near = Math.abs(x - one("wipe").value / 100) * box.width < 24;
  held = { what: near || view.zoom === 1 ? "wipe" : "frame", x, y };
  stage.setPointerCapture(event.pointerId);
  move(event);
});
stage.addEventListener("pointermove", move);
stage.addEventListener("pointerup", () => (held = null));
stage.addEventListener("pointercancel", () => (held = null));
stage.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.25 : 0.8, ...at(event));
  },
  { passive: false },
);

function move(event) {
  if (!held) return;
  const [x, y] = at(event);
  if (held.what === "wipe") one("wipe").value = 100 * x;
  else {
    view.x -= (x - held.x) / view.zoom;
    view.y -= (y - held.y) / view.zoom;
    [held.x, held.y] = [x, y];
  }
  update();
}

stage.addEventListener("keydown", (event) => {
  const keys = {
    ArrowRight: () => (view.t += facts.step / 10),
    ArrowLeft: () => (view.t -= facts.step / 10),
    Home: () => (view.t = facts.span[0]),
    End: () => (view.t = facts.span[1]),
    "+": () => zoom(1.25),
    "-": () => zoom(0.8),
    0: () => (view.zoom = 1),
    " ": () => (view.playing ? pause() : play()),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
  update();
});

function resize() {
  const width = Math.min(Math.round(stage.clientWidth * devicePixelRatio), 1920);
  if (!width || width === stage.width) return;
  stage.width = width;
  stage.height = Math.round((width * facts.size[0]) / facts.size[1]);
  update();
}

async function begin() {
  facts = await (await fetch("/facts")).json();
  document.title = `${facts.name} – invr`;
  one("name").textContent = facts.name;
  const [first, last] = facts.span;
  one("about").textContent = `${facts.size[1]}×${facts.size[0]}, ${first.toFixed(2)} to ${last.toFixed(2)} s`;
  for (const note of facts.notes) one("remarks").appendChild(document.createElement("li")).textContent = note;
  const names = Object.keys(facts.parts);
  for (const { select } of sides) select.append(...names.map((name) => new Option(name, name)));
  one("left").value = names.includes("source") ? "source" : "full";
  one("right").value = names.includes("source") ? "full" : names[Math.min(1, names.length - 1)];
  one("speed").append(...SPEEDS.map((speed) => new Option(speed === 1 ? "real time" : `1/${1 / speed}`, speed)));
  one("time").max = Math.round(((last - first) / facts.step) * FINE);
  for (const time of facts.frames.filter((_, index) => index % facts.every === 0)) {
    const tick = document.createElement("i");
    tick.style.left = `${(100 * (time - first)) / (last - first || 1)}%`;
    one("ticks").append(tick);
  }
  stage.style.aspectRatio = `${facts.size[1]} / ${facts.size[0]}`;
  stage.style.maxWidth = `calc(74vh * ${facts.size[1] / facts.size[0]})`;
  view.t = first;
  one("time").addEventListener("input", () => {
    if (view.playing) pause();
    view.t = first + (one("time").value / FINE) * facts.step;
    update();
  });
  one("wipe").addEventListener("input", () => update());
  for (const side of sides) side.select.addEventListener("change", () => update());
  one("swap").addEventListener("click", () => {
    [one("left").value, one("right").value] = [one("right").value, one("left").value];
    update();
  });
  one("in").addEventListener("click", () => zoom(2));
  one("out").addEventListener("click", () => zoom(0.5));
  one("whole").addEventListener("click", () => {
    view.zoom = 1;
    update();
  });
  one("play").addEventListener("click", () => (view.playing ? pause() : play()));
  one("before").addEventListener("click", () => jump(-1));
  one("after").addEventListener("click", () => jump(1));
  new ResizeObserver(resize).observe(stage);
  resize();
}
const ready = begin();
