"use strict";
const one = (id) => document.getElementById(id);
const pictures = [...document.querySelectorAll(".pictures img")];
const [left, right, wipe, stage] = ["left", "right", "wipe", "stage"].map(one);
let moment = Number(document.querySelector('.strip [aria-pressed="true"]').dataset.moment);

const names = [...new Set(pictures.map((picture) => picture.dataset.name))];
for (const side of [left, right]) side.append(...names.map((name) => new Option(name, name)));
left.value = pictures.find((picture) => "left" in picture.dataset).dataset.name;
right.value = pictures.find((picture) => "right" in picture.dataset).dataset.name;

function find(name) {
  return pictures.find((picture) => picture.dataset.name === name && Number(picture.dataset.moment) === moment);
}

function show() {
  const [over, under] = [find(left.value), find(right.value)];
  one("over").src = over.src;
  one("over").alt = over.alt;
  one("under").src = under.src;
  one("under").alt = under.alt;
  one("left-tag").textContent = left.value;
  one("right-tag").textContent = right.value;
  const largest = [over, under].reduce((a, b) => (a.width * a.height < b.width * b.height ? b : a));
  stage.style.aspectRatio = `${largest.getAttribute("width")} / ${largest.getAttribute("height")}`;
  for (const button of document.querySelectorAll(".strip button"))
    button.setAttribute("aria-pressed", String(Number(button.dataset.moment) === moment));
  cut();
}

function cut() {
  one("over").style.clipPath = `inset(0 ${100 - wipe.value}% 0 0)`;
  one("edge").style.left = `${wipe.value}%`;
}

function drag(event) {
  const box = stage.getBoundingClientRect();
  wipe.value = (100 * (event.clientX - box.left)) / box.width;
  cut();
}

stage.addEventListener("pointerdown", (event) => {
  stage.setPointerCapture(event.pointerId);
  drag(event);
});
stage.addEventListener("pointermove", (event) => {
  if (stage.hasPointerCapture(event.pointerId)) drag(event);
});
wipe.addEventListener("input", cut);
for (const side of [left, right]) side.addEventListener("change", show);
one("swap").addEventListener("click", () => {
  [left.value, right.value] = [right.value, left.value];
  show();
});
for (const button of document.querySelectorAll(".strip button"))
  button.addEventListener("click", () => {
    moment = Number(button.dataset.moment);
    show();
  });
one("compare").hidden = false;
show();
