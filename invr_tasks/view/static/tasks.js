"use strict";
const POLL = 400; // ms between two looks at how far a task is
const job = { tasks: [], state: "none", shown: "" };

/** Ask the viewer for something as JSON; what is wrong comes as an error. */
async function ask(address, form) {
  const options = form && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(form) };
  const answer = await fetch(address, options);
  const found = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(found.error), { status: answer.status });
  return found;
}

function made(tag, text, properties = {}) {
  return Object.assign(document.createElement(tag), { textContent: text }, properties);
}

/** The form of the task that is chosen. */
function fill() {
  const task = job.tasks.find(({ name }) => name === one("task").value);
  one("task-about").textContent = task.about;
  one("doubt").textContent = task.doubt && `As it stands it is refused here: ${task.doubt}`;
  one("fields").replaceChildren(
    ...task.fields.map((field) => {
      const id = `field-${field.name}`;
      const shared = { id, name: field.name, required: field.required };
      let input;
      if (field.kind === "choice") {
        input = made("select", "", { id, name: field.name });
        input.append(...field.choices.map((choice) => new Option(choice, choice)));
        input.value = field.default;
      } else if (field.kind === "flag") input = made("input", "", { ...shared, type: "checkbox", required: false, checked: Boolean(field.default) });
      else input = made("input", "", { ...shared, type: "text", value: field.default, autocomplete: "off", spellcheck: false });
      const about = made("small", field.about, { id: `${id}-about` });
      input.setAttribute("aria-describedby", about.id);
      const line = made("div", "");
      line.append(made("label", field.name.replaceAll("_", " "), { htmlFor: id }), input, about);
      return line;
    }),
  );
}

function filled() {
  const inputs = [...one("fields").querySelectorAll("input, select")];
  const options = inputs.map((input) => [input.name, input.type === "checkbox" ? (input.checked ? "true" : "") : input.value]);
  return { task: one("task").value, options: Object.fromEntries(options), format: one("format").value };
}

/** Show how far the task is, and look again while it runs. */
function told(now) {
  job.state = now.state;
  const running = now.state === "running";
  one("job").hidden = now.state === "none";
  one("job").className = now.state;
  one("start").disabled = running;
  one("cancel").hidden = one("progress").hidden = !running;
  if (now.percent === null) one("progress").removeAttribute("value");
  else one("progress").value = now.percent;
  one("job-text").textContent = `${now.task}: ${now.text}`;
  one("notes").replaceChildren(...now.notes.map((note) => made("li", note)));
  if (now.part && now.part !== job.shown) show(now.part);
  if (running) setTimeout(look, POLL);
}

/** The answer on the right, beside the source. */
async function show(part) {
  job.shown = part;
  facts = await ask("/facts");
  const names = Object.keys(facts.parts);
  for (const { select } of sides) {
    const before = select.value;
    select.replaceChildren(...names.map((name) => new Option(name, name)));
    select.value = names.includes(before) ? before : "full";
  }
  if (!names.includes(part)) return;
  one("left").value = "source";
  one("right").value = part;
  update();
}

async function look() {
  try {
    told(await ask("/job"));
  } catch (error) {
    one("job-text").textContent = error.message;
    if (job.state === "running") setTimeout(look, 5 * POLL);
  }
}

async function change(address, form) {
  try {
    told(await ask(address, form));
  } catch (error) {
    if (error.status === 409) look(); // another page has begun one
    else told({ state: "failed", task: one("task").value, percent: null, text: error.message, notes: [], part: "" });
  }
}

async function prepare() {
  await ready;
  const { out, how, tasks, others, formats } = await ask("/tasks");
  if (!out) {
    one("how").textContent = how;
    return;
  }
  one("how").textContent = `It asks the fitted clip, without a new fit. Answers are written to ${out}; nothing there is replaced.`;
  job.tasks = tasks;
  one("task").append(...tasks.map(({ name }) => new Option(name, name)));
  one("format").append(...formats.map((format) => new Option(format, format)));
  one("form").hidden = tasks.length === 0;
  one("others").hidden = Object.keys(others).length === 0;
  one("others-list").append(...Object.entries(others).map(([name, why]) => made("li", `${name}: ${why}`)));
  one("task").addEventListener("change", fill);
  one("form").addEventListener("submit", (event) => {
    event.preventDefault();
    change("/job", filled());
  });
  one("cancel").addEventListener("click", () => change("/cancel", {}));
  if (tasks.length) fill();
  look();
}
prepare().catch((error) => (one("how").textContent = error.message));
