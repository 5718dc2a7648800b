'use strict';

// What all parts of the page use: the data, forms of numbers, elements, the theme.
// Everything that comes from an image is made text, never markup.

const data = JSON.parse(document.getElementById('data').textContent);

document.documentElement.classList.add('scripted');

// An element with properties and children; texts become text nodes.
function make(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (name === 'class') element.className = value;
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];

function powerOf(bytes) {
  let power = 0;
  while (power < UNITS.length - 1 && bytes / 1000 ** power >= 1000) power += 1;
  return power;
}

// Two or three digits and a decimal unit, as everywhere in nixdive.
function showBytes(bytes) {
  const unit = 1000 ** powerOf(bytes);
  const isBelowTen = bytes < unit * 10 - Math.floor(unit / 20);
  const step = isBelowTen ? Math.max(1, Math.floor(unit / 10)) : unit;
  const rounded = Math.floor((bytes + Math.floor(step / 2)) / step) * step;
  const power = powerOf(rounded);
  const decimals = power > 0 && rounded < 1000 ** power * 10 ? 1 : 0;
  return `${(rounded / 1000 ** power).toFixed(decimals)} ${UNITS[power]}`;
}

function showDelta(delta) {
  if (delta === 0) return showBytes(0);
  return (delta > 0 ? '+' : '-') + showBytes(Math.abs(delta));
}

function showCount(count) {
  return String(count).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

function showValue(kind, value) {
  if (value === null || value === undefined) return '–';
  if (kind === 'bytes') return showBytes(value);
  if (kind === 'delta') return showDelta(value);
  if (kind === 'count') return showCount(value);
  return value;
}

const TYPES = { d: 'directory', f: 'file', l: 'link', h: 'hard link', c: 'device', b: 'device', p: 'pipe' };
const FATES = {
  '=': 'unchanged',
  '+': 'added',
  '-': 'removed',
  '~': 'content',
  m: 'metadata',
  t: 'type',
  '>': 'moved',
  '<': 'moved away',
};

// The tree of the paths: columns by place, with parents and children found from the depths. The root has place -1.
const paths = data.paths === null ? null : (() => {
  const columns = data.paths;
  const names = columns.names === '' ? [] : columns.names.split('/');
  const parents = new Array(names.length);
  const children = new Map([[-1, []]]);
  const above = [-1];
  for (let place = 0; place < names.length; place += 1) {
    const depth = columns.depths[place];
    const parent = above[depth - 1];
    parents[place] = parent;
    above[depth] = place;
    if (!children.has(parent)) children.set(parent, []);
    children.get(parent).push(place);
  }
  const folded = new Map(columns.folded);
  const isOfBoth = columns.leftBytes !== undefined;
  const bytesOf = (side, place) => {
    if (place < 0) return columns.all[side === 'left' ? 0 : 1] || 0;
    return (side === 'left' ? columns.leftBytes : columns.bytes)[place] || 0;
  };
  const full = new Array(names.length);
  const pathOf = (place) => {
    if (place < 0) return '/';
    if (full[place] === undefined) {
      const parts = [];
      for (let at = place; at >= 0; at = parents[at]) parts.push(names[at]);
      full[place] = '/' + parts.reverse().join('/');
    }
    return full[place];
  };
  return {
    names,
    parents,
    isOfBoth,
    hasLayers: Boolean(columns.layers),
    bytesOf,
    pathOf,
    folded: (place) => folded.get(place) || 0,
    childrenOf: (place) => children.get(place) || [],
    typeOf: (place) => TYPES[place < 0 ? 'd' : columns.kinds[place]],
    fateOf: (place) => FATES[place < 0 || !isOfBoth ? '=' : columns.fates[place]],
    leftOf: (place) => (place < 0 ? columns.all[0] : columns.leftBytes[place]),
    rightOf: (place) => (place < 0 ? columns.all[1] : columns.bytes[place]),
    layerOf: (place) => (isOfBoth ? null : columns.layers[place]),
    movedFrom: isOfBoth ? new Map(columns.moves) : new Map(),
  };
})();

// The theme follows the system until it is chosen.
(() => {
  const root = document.documentElement;
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : system.matches);
  const button = make('button', { type: 'button', class: 'theme' });
  const name = () => {
    button.textContent = isDark() ? 'Light theme' : 'Dark theme';
  };
  button.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    name();
  });
  system.addEventListener('change', name);
  name();
  document.querySelector('.top').append(button);
})();

// On paper nothing can be unfolded.
(() => {
  let closed = [];
  window.addEventListener('beforeprint', () => {
    closed = [...document.querySelectorAll('details:not([open])')];
    closed.forEach((details) => { details.open = true; });
  });
  window.addEventListener('afterprint', () => {
    closed.forEach((details) => { details.open = false; });
  });
})();
