"use strict";
// Texts of people's own (names, tags) are set as text, never as HTML.
const byId = (id) => document.getElementById(id);

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const nameOf = (label) => DATA.classes[label - 1].name;
const percent = (share) => `${Math.round(100 * share)} %`;

function picture(number, folder, ending, className, alt) {
  const image = document.createElement("img");
  image.loading = "lazy";
  image.decoding = "async";
  image.alt = alt;
  image.className = className;
  image.src = `${folder}/${number}.${ending}`;
  return image;
}

function card(photograph, number) {
  const figure = document.createElement("figure");
  const frame = element("div", undefined, "picture");
  frame.append(
    picture(number, "photographs", "jpg", "photograph", photograph.file),
    picture(number, "labels", "png", "labels", ""),
  );
  const caption = document.createElement("figcaption");
  caption.append(element("div", photograph.file, "name"));
  const tags = photograph.tags.map(nameOf).join(", ") || "no tag";
  const found = Object.entries(photograph.found).map(([label, share]) => `${nameOf(label)} ${percent(share)}`);
  caption.append(element("div", `${photograph.split} · tags: ${tags}`));
  caption.append(element("div", `found: ${found.join(", ") || "nothing"} · unsure ${percent(photograph.unsure)}`));
  for (const one of photograph.against) {
    const said = one.tagged ? "is tagged and not seen" : "is seen without a tag";
    caption.append(element("div", `${nameOf(one.label)} ${said} (${percent(one.probability)})`, "against"));
  }
  figure.append(frame, caption);
  return figure;
}

const AT_ONCE = 60;
const cards = [];
const cardOf = (number) => (cards[number] ??= card(DATA.photographs[number], number));
let drawn = 0;
const orders = {
  suspicious: (a, b) => a - b, // as the data are
  unsure: (a, b) => DATA.photographs[b].unsure - DATA.photographs[a].unsure,
  file: (a, b) => (DATA.photographs[a].file < DATA.photographs[b].file ? -1 : 1),
};

function shown(photograph) {
  const split = byId("split").value;
  const wanted = [...byId("classes").querySelectorAll("input:checked")].map((box) => Number(box.value));
  const has = (label) => photograph.tags.includes(label) || String(label) in photograph.found;
  return (
    (split === "" || photograph.split === split) &&
    (!byId("suspicious").checked || photograph.against.length > 0) &&
    (wanted.length === 0 || wanted.some(has))
  );
}

// The first ones are seen at once, however many there are.
function append(numbers, drawing) {
  if (drawing !== drawn) return; // Something else was chosen meanwhile.
  byId("photographs").append(...numbers.slice(0, AT_ONCE).map(cardOf));
  if (numbers.length > AT_ONCE) setTimeout(append, 0, numbers.slice(AT_ONCE), drawing);
}

function draw() {
  const numbers = [...DATA.photographs.keys()].filter((number) => shown(DATA.photographs[number]));
  numbers.sort(orders[byId("order").value]);
  byId("photographs").replaceChildren();
  append(numbers, ++drawn);
  const suspicious = numbers.filter((number) => DATA.photographs[number].against.length > 0).length;
  byId("count").textContent =
    `${numbers.length} of ${DATA.photographs.length} photographs, ${suspicious} of them with tags that the classifier contradicts`;
}

function start() {
  document.querySelector("h1").textContent = `${DATA.dataset}, ${DATA.variant}`;
  for (const [value, text] of [["", "all"], ["train", "train"], ["val", "val"]]) {
    const option = element("option", text);
    option.value = value;
    byId("split").append(option);
  }
  DATA.classes.forEach((known, place) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.value = place + 1;
    const swatch = element("span", undefined, "swatch");
    swatch.style.background = known.colour;
    label.append(box, " ", swatch, " ", known.name);
    byId("classes").append(label);
  });
  const slider = byId("opacity");
  const fade = () => document.documentElement.style.setProperty("--opacity", slider.value / 100);
  slider.addEventListener("input", fade);
  fade();
  document.querySelector("form").addEventListener("change", draw);
  document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  draw();
}

start();
