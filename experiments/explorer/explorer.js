"use strict";
// Runs functions that were traced by graph.py: arrays are {shape, data}, in row-major order.

const size = shape => shape.reduce((a, b) => a * b, 1);

function strides(shape) {
  const result = new Array(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) { result[i] = stride; stride *= shape[i]; }
  return result;
}

const UNARY = {
  neg: x => -x, abs: Math.abs, exp: Math.exp, log: Math.log, log1p: Math.log1p, sin: Math.sin, cos: Math.cos,
  sqrt: Math.sqrt, rsqrt: x => 1 / Math.sqrt(x), tanh: Math.tanh, logistic: x => 1 / (1 + Math.exp(-x)),
};
const BINARY = {
  add: (a, b) => a + b, sub: (a, b) => a - b, mul: (a, b) => a * b, div: (a, b) => a / b, max: Math.max,
  min: Math.min, pow: Math.pow, ge: (a, b) => +(a >= b), gt: (a, b) => +(a > b), le: (a, b) => +(a <= b),
  lt: (a, b) => +(a < b), eq: (a, b) => +(a === b), ne: (a, b) => +(a !== b),
};

// Calls visit(index in the result, index in the operand) where step i of an axis moves by the operand's strides.
function walk(shape, steps, visit) {
  const index = new Array(shape.length).fill(0), total = size(shape);
  let from = 0;
  for (let to = 0; to < total; to++) {
    visit(to, from);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += steps[axis];
      if (++index[axis] < shape[axis]) break;
      from -= steps[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

function dot(operation, a, b, out) {
  const [[contractedA, contractedB], [batchA, batchB]] = operation.dimension_numbers;
  const freeA = a.shape.map((_, i) => i).filter(i => !contractedA.includes(i) && !batchA.includes(i));
  const freeB = b.shape.map((_, i) => i).filter(i => !contractedB.includes(i) && !batchB.includes(i));
  const rows = rearranged(a, [...batchA, ...freeA, ...contractedA]);
  const columns = rearranged(b, [...batchB, ...freeB, ...contractedB]);
  const depth = size(contractedA.map(i => a.shape[i])), width = size(freeB.map(i => b.shape[i]));
  const height = size(freeA.map(i => a.shape[i]));
  for (let i = 0; i < rows.length / depth; i++) {
    const first = Math.floor(i / height) * width;  // of the columns of this batch
    for (let j = 0; j < width; j++) {
      let sum = 0;
      for (let k = 0; k < depth; k++) sum += rows[i * depth + k] * columns[(first + j) * depth + k];
      out[i * width + j] = sum;
    }
  }
}

function rearranged(x, order) {
  if (order.every((axis, i) => axis === i)) return x.data;
  const from = strides(x.shape), out = new Float32Array(x.data.length);
  walk(order.map(i => x.shape[i]), order.map(i => from[i]), (to, index) => { out[to] = x.data[index]; });
  return out;
}

// The data of an operand that is repeated along axes of length 1 to fill a shape.
function spread(x, shape) {
  const total = size(shape);
  if (x.data.length === total) return x.data;
  const out = new Float32Array(total);
  if (x.data.length === 1) return out.fill(x.data[0]);
  const from = strides(x.shape);
  walk(shape, from.map((step, i) => x.shape[i] === 1 ? 0 : step), (to, index) => { out[to] = x.data[index]; });
  return out;
}

const OTHERS = {
  integer_pow: (o, [x], [out]) => x.data.forEach((v, i) => { out[i] = v ** o.y; }),
  reshape: (o, [x], [out]) => out.set(x.data),
  transpose: (o, [x], [out]) => out.set(rearranged(x, o.permutation)),
  dot_general: (o, [a, b], [out]) => dot(o, a, b, out),
  select_n: (o, [which, ...cases], [out]) => {
    for (let i = 0; i < out.length; i++) out[i] = cases[which.data[which.data.length === 1 ? 0 : i]].data[i];
  },
  broadcast_in_dim: (o, [x], [out]) => {
    const from = strides(x.shape), steps = new Array(o.shape.length).fill(0);
    o.broadcast_dimensions.forEach((axis, i) => { steps[axis] = x.shape[i] === 1 ? 0 : from[i]; });
    walk(o.shape, steps, (to, index) => { out[to] = x.data[index]; });
  },
  reduce_sum: (o, [x], [out]) => {
    const kept = x.shape.map((_, i) => i).filter(i => !o.axes.includes(i));
    const data = rearranged(x, [...kept, ...o.axes]), length = size(o.axes.map(i => x.shape[i]));
    for (let i = 0; i < out.length; i++) {
      let sum = 0;
      for (let k = 0; k < length; k++) sum += data[i * length + k];
      out[i] = sum;
    }
  },
  concatenate: (o, parts, [out]) => {
    const before = size(parts[0].shape.slice(0, o.dimension)), after = parts[0].shape.slice(o.dimension + 1);
    const lengths = parts.map(x => x.shape[o.dimension] * size(after));
    let at = 0;
    for (let i = 0; i < before; i++) parts.forEach((x, n) => {
      out.set(x.data.subarray(i * lengths[n], (i + 1) * lengths[n]), at);
      at += lengths[n];
    });
  },
  split: (o, [x], outs) => {
    const before = size(x.shape.slice(0, o.axis)), after = size(x.shape.slice(o.axis + 1));
    let at = 0;
    for (let i = 0; i < before; i++) outs.forEach((out, n) => {
      const length = o.sizes[n] * after;
      out.set(x.data.subarray(at, at + length), i * length);
      at += length;
    });
  },
};

// Returns a function of arrays of numbers that yields the results as Float32Arrays.
function compile(graph) {
  const constants = graph.constants.map(c => {
    const bytes = Uint8Array.from(atob(c.data), x => x.charCodeAt(0));
    return [c.number, { shape: c.shape, data: new Float32Array(bytes.buffer) }];
  });
  return (...inputs) => {
    const values = new Map(constants);
    inputs.forEach((x, i) => values.set(graph.arguments[i], { shape: [1, x.length], data: Float32Array.from(x) }));
    for (const operation of graph.operations) {
      const operands = operation.operands.map(i => values.get(i));
      const outs = operation.shapes.map(shape => new Float32Array(size(shape)));
      const { name } = operation, [a, b] = operands, [out] = outs;
      if (UNARY[name]) for (let i = 0; i < out.length; i++) out[i] = UNARY[name](a.data[i]);
      else if (BINARY[name]) {
        const x = spread(a, operation.shapes[0]), y = spread(b, operation.shapes[0]), apply = BINARY[name];
        for (let i = 0; i < out.length; i++) out[i] = apply(x[i], y[i]);
      } else OTHERS[name](operation, operands, outs);
      operation.results.forEach((number, i) => values.set(number, { shape: operation.shapes[i], data: outs[i] }));
    }
    return graph.results.map(i => values.get(i).data);
  };
}

const MODEL = JSON.parse(document.getElementById("model").textContent);
const decode = compile(MODEL.decode), slope = compile(MODEL.slope), energy = compile(MODEL.energy);

// One leapfrog step of a separable Hamiltonian; slope returns dH/dq and dH/dp.
function leapfrog([q, p], dt) {
  const kick = (q, p) => p.map((x, i) => x - 0.5 * dt * slope(q, p)[0][i]);
  p = kick(q, p);
  q = q.map((x, i) => x + dt * slope(q, p)[1][i]);
  return [q, kick(q, p)];
}

function rollout(state, steps, scale = 1) {
  const dt = Math.sign(steps) * scale * MODEL.dt / MODEL.substeps, path = [state];
  for (let i = 0; i < Math.abs(steps); i++) {
    for (let k = 0; k < MODEL.substeps; k++) state = leapfrog(state, dt);
    path.push(state);
  }
  return path;
}

// ---------------------------------------------------------------- the page

const element = id => document.getElementById(id);
const HORIZON = MODEL.horizon;
const view = { start: MODEL.clips[0].state, clip: 0, time: 0, playing: !matchMedia("(prefers-reduced-motion)").matches };
let path = [];

function setStart(q, p, clip = null) {
  view.start = [[q], [p]];
  view.clip = clip;
  view.time = 0;
  const after = rollout(view.start, HORIZON), before = rollout(view.start, -HORIZON);
  path = [...before.slice(1).reverse(), ...after];
  MODEL.clips.forEach((_, i) => element(`clip${i}`).setAttribute("aria-pressed", i === clip));
  draw();
}

const stateAt = time => {
  const at = Math.min(2 * HORIZON, Math.max(0, time + HORIZON)), i = Math.floor(at), part = at - i;
  if (part < 1e-6) return path[i];
  const [a, b] = [path[i], path[Math.min(i + 1, 2 * HORIZON)]];
  return a.map((x, k) => x.map((y, n) => y + part * (b[k][n] - y)));
};

function drawFrame(canvas, data) {
  const image = new ImageData(MODEL.size, MODEL.size);
  for (let i = 0; i < MODEL.size ** 2; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = Math.round(255 * Math.min(1, Math.max(0, data[3 * i + c])));
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

const bytesOf = data => Uint8Array.from(atob(data), x => x.charCodeAt(0));
MODEL.clips.forEach(clip => { clip.bytes = bytesOf(clip.frames); });

function trueFrame() {
  if (view.clip === null) return null;
  const length = 3 * MODEL.size ** 2, index = Math.round(view.time) + HORIZON;
  return Float32Array.from(MODEL.clips[view.clip].bytes.subarray(index * length, (index + 1) * length), x => x / 255);
}

// Axes of the phase plane.
const toCanvas = (canvas, q, p) => [
  canvas.width * (q - MODEL.q[0]) / (MODEL.q[1] - MODEL.q[0]),
  canvas.height * (MODEL.p[1] - p) / (MODEL.p[1] - MODEL.p[0]),
];

function surface(values) {
  const n = MODEL.grid, canvas = document.createElement("canvas"), low = Math.min(...values);
  const sorted = Float32Array.from(values).sort(), high = sorted[Math.floor(0.95 * sorted.length)];
  canvas.width = canvas.height = n;
  const image = new ImageData(n, n);
  values.forEach((value, i) => {
    const level = Math.min(1, (value - low) / (high - low)), band = Math.floor(level * 12) / 12;
    image.data.set([245 - 190 * band, 248 - 120 * band, 252 - 60 * band, 255], 4 * i);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
const surfaces = { learned: surface(MODEL.learned), true: surface(MODEL.true) };

function drawPlane(canvas, background) {
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = true;
  context.drawImage(background, 0, 0, canvas.width, canvas.height);
  context.lineWidth = 2;
  context.strokeStyle = "#d55e00";
  for (const shift of MODEL.period ? [-MODEL.period, 0, MODEL.period] : [0]) {
    context.beginPath();
    path.forEach(([q, p], i) => context[i ? "lineTo" : "moveTo"](...toCanvas(canvas, q[0] + shift, p[0])));
    context.stroke();
  }
  const [q, p] = stateAt(view.time), wrapped = wrap(q[0]);
  context.fillStyle = "#111";
  context.beginPath();
  context.arc(...toCanvas(canvas, wrapped, p[0]), 7, 0, 2 * Math.PI);
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = "#fff";
  context.stroke();
}

const wrap = q => MODEL.period ? q - MODEL.period * Math.round((q - (MODEL.q[0] + MODEL.q[1]) / 2) / MODEL.period) : q;

function draw() {
  const [q, p] = stateAt(view.time);
  drawFrame(element("frame"), decode(q)[0]);
  const observed = trueFrame();
  element("observed").style.visibility = observed ? "visible" : "hidden";
  element("nofilm").hidden = Boolean(observed);
  if (observed) drawFrame(element("observed"), observed);
  drawPlane(element("learned"), surfaces.learned);
  drawPlane(element("true"), surfaces.true);
  element("time").value = view.time;
  element("state").textContent =
    `step ${view.time.toFixed(0)}   q ${wrap(q[0]).toFixed(3)}   p ${p[0].toFixed(3)}   H ${energy(q, p)[0][0].toFixed(4)}`;
}

function drag(canvas) {
  const move = event => {
    const box = canvas.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
    setStart(MODEL.q[0] + x * (MODEL.q[1] - MODEL.q[0]), MODEL.p[1] - y * (MODEL.p[1] - MODEL.p[0]));
  };
  canvas.addEventListener("pointerdown", event => { canvas.setPointerCapture(event.pointerId); move(event); });
  canvas.addEventListener("pointermove", event => { if (event.buttons) move(event); });
}

function setPlaying(playing) {
  view.playing = playing;
  element("play").textContent = playing ? "Pause" : "Play";
}

let last = null;
function tick(now) {
  if (view.playing && last !== null) {
    view.time += Number(element("speed").value) * (now - last) / 1000 / MODEL.dt;
    if (view.time > HORIZON) view.time = -HORIZON;
    if (view.time < -HORIZON) view.time = HORIZON;
    draw();
  }
  last = now;
  requestAnimationFrame(tick);
}

MODEL.clips.forEach((clip, i) => {
  const button = document.createElement("button");
  button.id = `clip${i}`;
  button.textContent = `film ${i + 1}`;
  button.onclick = () => setStart(clip.state[0][0], clip.state[1][0], i);
  element("clips").append(button);
});
element("time").min = -HORIZON;
element("time").max = HORIZON;
element("time").oninput = event => { setPlaying(false); view.time = Number(event.target.value); draw(); };
element("play").onclick = () => setPlaying(!view.playing);
element("speed").oninput = event => { element("speedtext").textContent = `${Number(event.target.value).toFixed(1)} ×`; };
drag(element("learned"));
drag(element("true"));
setPlaying(view.playing);
setStart(view.start[0][0], view.start[1][0], 0);
requestAnimationFrame(tick);
