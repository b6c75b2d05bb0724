// Run a generator in the browser. generator.json describes the generator and its inputs.
// sampler.py does the same in Python. Other scripts use `window.ganPage`:
//   await ganPage.ready;
//   await ganPage.generate({latents: [...], labels: 4})  // Float32Array in [-1, 1]
//   ganPage.latents(0)  // latents of the first image on the page
//   await ganPage.translate(condition)  // Float32Array in [-1, 1], tile x tile x channels
// The latents of a seed differ from those that Python draws.

const DIRECTIONS = 8; // number of latents that have a slider
const wasm = document.querySelector("script[data-wasm]").dataset.wasm;
const $ = (id) => document.getElementById(id);
let info, model, Tensor;
let shown = null; // description of the shown image, for its PNG file
let asked = 0; // number of the newest request; older requests stop

function say(text, error = false) {
  $("status").textContent = text;
  $("status").classList.toggle("error", error);
}

// ---- the generator ----

async function load() {
  const answer = await fetch("generator.json");
  if (!answer.ok) throw new Error("generator.json is missing");
  info = await answer.json();
  let runtime;
  // The runtime prints all of its log to stderr, not only errors.
  const printErr = (line) =>
    /^(INFO|WARNING|VERBOSE)/.test(line) ? console.debug(line) : console.error(line);
  self.Module = {printErr};
  try {
    runtime = await import("@litertjs/core");
    await runtime.loadLiteRt(new URL(wasm, document.baseURI).href);
  } catch (error) {
    throw new Error("the LiteRT runtime cannot be loaded (" + error.message + ")");
  }
  Tensor = runtime.Tensor;
  const file = await fetch("generator.tflite");
  if (!file.ok) throw new Error("generator.tflite is missing");
  const bytes = new Uint8Array(await file.arrayBuffer());
  model = await runtime.loadAndCompile(bytes, {accelerator: "wasm"});
}

// Run the model on named inputs of one image. Missing inputs get their defaults.
async function run(inputs) {
  const tensors = {};
  for (const {name, dtype, shape} of model.getInputDetails()) {
    const size = shape.reduce((a, b) => a * Math.abs(b), 1);
    const values = new (dtype === "int32" ? Int32Array : Float32Array)(size);
    const given = inputs[name] ?? info.inputs?.[name]?.default ?? 0;
    if (typeof given === "number") values.fill(given);
    else values.set(given);
    tensors[name] = new Tensor(values, Array.from(shape, Math.abs));
  }
  const made = Object.values(await model.run(tensors));
  const pixels = Float32Array.from(made[0].toTypedArray());
  for (const tensor of [...Object.values(tensors), ...made]) tensor.delete();
  return pixels;
}

const generate = ({latents, labels = 0, ...options}) =>
  run({latents, labels, ...options});
const translate = (condition) => run({condition});

// ---- latents ----

function stream(seed, index) { // mulberry32, a small generator of random numbers
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function draw(seed, index) {
  const next = stream(seed, index);
  return Array.from({length: info.latent_dim}, () => {
    if (info.latents !== "normal") return 2 * next() - 1;
    const radius = Math.sqrt(-2 * Math.log(1 - next()));
    return radius * Math.cos(2 * Math.PI * next());
  });
}

function slerp(a, b, t) { // spherical interpolation
  const norm = (v) => Math.hypot(...v);
  const dot = a.reduce((sum, x, i) => sum + x * b[i], 0) / (norm(a) * norm(b));
  const angle = Math.acos(Math.min(1, Math.max(-1, dot)));
  if (!(angle > 1e-6)) return a.map((x, i) => (1 - t) * x + t * b[i]);
  const length = (1 - t) * norm(a) + t * norm(b);
  const [p, q] = [Math.sin((1 - t) * angle), Math.sin(t * angle)];
  return a.map((x, i) =>
    (length / Math.sin(angle)) * ((p * x) / norm(a) + (q * b[i]) / norm(b)));
}

function latentsOf(values, index) {
  let z = slerp(draw(values.seed, index), draw(values.seed + 1, index), values.towards);
  if (!info.inputs?.truncation) z = z.map((x) => x * values.truncation);
  values.directions.forEach((x, i) => (z[i] += x));
  values.codes.forEach((x, i) => {
    if (x !== null) z[info.latent_dim - info.num_codes + i] = x;
  });
  return z;
}

// ---- controls ----

function field(parent, label, input) {
  const box = document.createElement("label");
  box.className = "field";
  const text = document.createElement("span");
  text.textContent = label;
  box.append(text, input);
  parent.append(box);
  return input;
}

function element(kind, properties) {
  return Object.assign(document.createElement(kind), properties);
}

function slider(parent, id, label, min, max, value) {
  const step = (max - min) / 100;
  return field(parent, label,
    element("input", {type: "range", id, min, max, step, value}));
}

function select(parent, id, label, options) {
  const list = element("select", {id});
  options.forEach(([value, text]) => list.append(new Option(text, value)));
  return field(parent, label, list);
}

function button(parent, id, label, press) {
  const made = element("button", {type: "button", id, textContent: label});
  made.addEventListener("click", press);
  parent.append(made);
  return made;
}

function fold(parent, title) {
  const outer = element("details", {});
  outer.append(element("summary", {textContent: title}));
  const inner = element("div", {className: "inner"});
  outer.append(inner);
  parent.append(outer);
  return inner;
}

function noiseControls(form) {
  if (info.num_classes) {
    const names = info.class_names.map((name, i) => [i, name]);
    select(form, "label", info.num_codes ? "Code" : "Label",
      [[-1, "All in turn"], ...names]);
  }
  select(form, "grid", "Images", [[1, "1"], [4, "4"], [16, "16"]]).value = "4";
  const seed = element("input", {type: "number", id: "seed", min: 0, step: 1, value: 0});
  field(form, "Seed", seed);
  slider(form, "towards", "Interpolation to the next seed", 0, 1, 0);
  slider(form, "truncation", "Truncation (lower: less variety)", 0, 1, 1);
  if (info.inputs?.noise) slider(form, "noise", "Noise", 0, 1, 1);
  for (let i = 0; i < info.num_codes; i++) {
    slider(form, `code${i}`, `Continuous code ${i + 1}`, -2, 2, 0);
    const set = element("input", {type: "checkbox", id: `set${i}`});
    field(form, `Use continuous code ${i + 1}`, set);
  }
  const inner = fold(form, "Latent directions");
  const free = info.latent_dim - info.num_codes;
  for (let i = 0; i < Math.min(DIRECTIONS, free); i++) {
    slider(inner, `direction${i}`, `Direction ${i + 1}`, -3, 3, 0);
  }
  const buttons = element("div", {className: "buttons"});
  form.append(buttons);
  button(buttons, "shuffle", "Shuffle", () => {
    seed.value = Math.floor(Math.random() * 1e6);
    show();
  });
  button(buttons, "download", "Download PNG", download);
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
}

function read() {
  const number = (id, otherwise) => ($(id) ? Number($(id).value) : otherwise);
  const directions = [];
  for (let i = 0; $(`direction${i}`); i++) directions.push(number(`direction${i}`));
  const codes = [];
  for (let i = 0; i < info.num_codes; i++) {
    codes.push($(`set${i}`).checked ? number(`code${i}`) : null);
  }
  return {
    label: number("label", -1), grid: number("grid"),
    seed: Math.max(0, Math.floor(number("seed"))), towards: number("towards"),
    truncation: number("truncation", 1), noise: number("noise", 1), directions, codes,
  };
}

// ---- images ----

function toPixels(made, width, height, channels) {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) {
      const value = made[i * channels + (channels === 1 ? 0 : c)];
      image.data[4 * i + c] = Math.round((value + 1) * 127.5); // clamped by the type
    }
    image.data[4 * i + 3] = 255;
  }
  return image;
}

async function show() {
  const mine = ++asked;
  await new Promise(requestAnimationFrame);
  if (mine !== asked) return;
  const values = read();
  const [height, width, channels] = info.image_shape;
  const columns = Math.sqrt(values.grid);
  const sheet = new OffscreenCanvas(columns * width, columns * height);
  const start = performance.now();
  for (let i = 0; i < values.grid; i++) {
    const labels = values.label < 0 ? i % Math.max(1, info.num_classes) : values.label;
    const options = {latents: latentsOf(values, i), labels};
    if (info.inputs?.truncation) options.truncation = values.truncation;
    if (info.inputs?.noise) options.noise = values.noise;
    const made = await generate(options);
    if (mine !== asked) return;
    const at = [(i % columns) * width, Math.floor(i / columns) * height];
    sheet.getContext("2d").putImageData(toPixels(made, width, height, channels), ...at);
  }
  const canvas = $("made");
  canvas.width = sheet.width;
  canvas.height = sheet.height;
  canvas.getContext("2d").drawImage(sheet, 0, 0);
  const what = values.label < 0 ? "" : ` of ${info.class_names[values.label]}`;
  const many = values.grid > 1 ? "s" : "";
  canvas.setAttribute("aria-label",
    `${values.grid} generated image${many}${what}, seed ${values.seed}`);
  shown = {generator: info.generator, seed: values.seed};
  if (values.label >= 0) shown.label = values.label;
  const time = (performance.now() - start) / values.grid;
  say(`${values.grid} image${many}${what}, ${time.toFixed(1)} ms each.`);
}

// Crop an image to its central square, on white, and resize it to the generator's side.
function fit(picture, width, height) {
  const side = info.tile || info.condition_shape[0];
  const canvas = $("source");
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.fillStyle = "white";
  context.fillRect(0, 0, side, side);
  const cut = Math.min(width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, (width - cut) / 2, (height - cut) / 2, cut, cut,
    0, 0, side, side);
  const {data} = context.getImageData(0, 0, side, side);
  const channels = info.condition_shape[2];
  const source = new Float32Array(side * side * channels);
  for (let i = 0; i < side * side; i++) {
    const [r, g, b] = data.slice(4 * i, 4 * i + 3);
    const grey = Math.round(0.299 * r + 0.587 * g + 0.114 * b);
    for (let c = 0; c < channels; c++) {
      source[i * channels + c] = (channels === 1 ? grey : [r, g, b][c]) / 127.5 - 1;
    }
  }
  canvas.setAttribute("aria-label", "Condition image, cropped to a square");
  return source;
}

async function showTranslation(picture, width, height, name) {
  const mine = ++asked;
  const start = performance.now();
  const made = await translate(fit(picture, width, height));
  if (mine !== asked) return;
  const channels = info.image_shape[2];
  const side = Math.round(Math.sqrt(made.length / channels));
  const canvas = $("made");
  canvas.width = canvas.height = side;
  canvas.getContext("2d").putImageData(toPixels(made, side, side, channels), 0, 0);
  canvas.setAttribute("aria-label", `Image generated from ${name}`);
  shown = {generator: info.generator, input: name};
  say(`Image generated from ${name} in ${(performance.now() - start).toFixed(0)} ms.`);
}

function pictureControls(form) {
  $("given").hidden = false;
  const side = info.tile || info.condition_shape[0];
  const file = element("input", {type: "file", id: "file", accept: "image/*"});
  field(form, `Image (cropped and resized to ${side} x ${side} pixels)`, file);
  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    if (!chosen) return;
    try {
      const picture = await createImageBitmap(chosen);
      await showTranslation(picture, picture.width, picture.height, chosen.name);
    } catch (error) {
      say(`${chosen.name} is not an image that this browser can read.`, true);
    }
  });
  const buttons = element("div", {className: "buttons"});
  form.append(buttons);
  const video = $("video");
  const camera = button(buttons, "camera", "Use the camera", async () => {
    if (video.srcObject) {
      await showTranslation(video, video.videoWidth, video.videoHeight, "the camera");
      return;
    }
    try {
      const facing = {video: {facingMode: "environment"}};
      video.srcObject = await navigator.mediaDevices.getUserMedia(facing);
      video.hidden = false;
      await video.play();
      camera.textContent = "Take a photo";
    } catch (error) {
      video.srcObject = null;
      say("There is no camera, or this page has no permission to use the camera.", true);
    }
  });
  button(buttons, "download", "Download PNG", download);
  form.addEventListener("submit", (event) => event.preventDefault());
  say("Choose an image, or use the camera.");
}

// ---- PNG files that record their origin ----

function crc(bytes) {
  let value = ~0;
  for (const byte of bytes) {
    value ^= byte;
    for (let k = 0; k < 8; k++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return ~value >>> 0;
}

function chunk(keyword, text) { // iTXt, not compressed
  const body = new TextEncoder().encode(`iTXt${keyword}\0\0\0\0\0${text}`);
  const bytes = new Uint8Array(body.length + 8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length - 4);
  bytes.set(body, 4);
  view.setUint32(body.length + 4, crc(body));
  return bytes;
}

async function download() {
  if (!shown) return;
  const about = JSON.stringify(shown);
  const blob = await new Promise((done) => $("made").toBlob(done, "image/png"));
  const png = new Uint8Array(await blob.arrayBuffer());
  const head = 33; // the signature and the first chunk
  const parts = [png.slice(0, head), chunk("keras_gans", about),
    chunk("XML:com.adobe.xmp", info.xmp), png.slice(head)];
  const link = element("a", {download: `${info.name}.png`});
  link.href = URL.createObjectURL(new Blob(parts, {type: "image/png"}));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const ready = load().then(
  async () => {
    if (info.condition_shape) {
      pictureControls($("controls"));
    } else {
      noiseControls($("controls"));
      await show();
    }
  },
  (error) => say(`The page cannot run this generator: ${error.message}.`, true),
);
window.ganPage = {
  ready, generate, translate, latents: (index) => latentsOf(read(), index),
};
