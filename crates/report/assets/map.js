'use strict';

// The map: areas as large as bytes, laid out by squarified treemaps (M. Bruls, K. Huizing, J. J. van Wijk,
// "Squarified Treemaps", 2000). Every area is a button, so that keys and screen readers reach it.

const LEVELS = 4;
const HEADING = 22;
const LEAST_SIDE = 4;
const LEAST_LABEL = 34;
const LEAST_BRANCH = 46;
const MOST_TILES = 1500;
const COLOURS = 8;
const NEARLY_ALL = 0.8;

// Splits a rectangle among weights, largest first; gives a rectangle for each.
function squarify(weights, area) {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const rectangles = [];
  let { x, y, width, height } = area;
  let rest = sum;
  let start = 0;
  while (start < weights.length && rest > 0 && width > 0 && height > 0) {
    const scale = (width * height) / rest;
    const side = Math.min(width, height);
    // The worst ratio of sides of a row: the paper's function `worst`.
    const worst = (total, largest, smallest) => {
      const row = total * scale;
      return Math.max((side * side * largest * scale) / (row * row), (row * row) / (side * side * smallest * scale));
    };
    let end = start;
    let total = 0;
    let best = Infinity;
    while (end < weights.length && weights[end] > 0) {
      const next = worst(total + weights[end], weights[start], weights[end]);
      if (next > best) break;
      best = next;
      total += weights[end];
      end += 1;
    }
    if (end === start) break;
    const depth = (total * scale) / side;
    let offset = 0;
    for (let index = start; index < end; index += 1) {
      const length = (weights[index] / total) * side;
      rectangles.push(width >= height
        ? { x, y: y + offset, width: depth, height: length }
        : { x: x + offset, y, width: length, height: depth });
      offset += length;
    }
    if (width >= height) { x += depth; width -= depth; } else { y += depth; height -= depth; }
    rest -= total;
    start = end;
  }
  return rectangles;
}

// What a tree of two images is drawn by.
const MEASURES = {
  right: { name: 'right image', of: (place) => paths.bytesOf('right', place) },
  left: { name: 'left image', of: (place) => paths.bytesOf('left', place) },
  difference: { name: 'difference', of: null },
};

// By place, the sum of the absolute differences of what is below; the root last.
function differences() {
  const sums = new Array(paths.names.length + 1).fill(0);
  const at = (place) => (place < 0 ? paths.names.length : place);
  for (let place = paths.names.length - 1; place >= -1; place -= 1) {
    const delta = paths.bytesOf('right', place) - paths.bytesOf('left', place);
    // What is not carried, or is a file itself, counts with its own difference.
    const below = paths.childrenOf(place).reduce((sum, child) => sum + paths.bytesOf('right', child) - paths.bytesOf('left', child), 0);
    sums[at(place)] += Math.abs(delta - below);
    if (place >= 0) sums[at(paths.parents[place])] += sums[place];
  }
  return (place) => sums[at(place)];
}

function colourOfFate(place) {
  const hasLeft = paths.leftOf(place) !== null;
  const hasRight = paths.rightOf(place) !== null;
  if (paths.childrenOf(place).length > 0 && hasLeft && hasRight) return 'tile-same';
  const colours = {
    added: 'tile-added', removed: 'tile-removed', content: 'tile-changed', type: 'tile-changed',
    metadata: 'tile-changed', moved: 'tile-moved', 'moved away': 'tile-moved',
  };
  return colours[paths.fateOf(place)] || 'tile-same';
}

const MARKS = { added: '+ ', removed: '− ', content: '~ ', type: '~ ', metadata: '~ ', moved: '→ ', 'moved away': '← ' };

function startMap(frame) {
  const crumbs = make('ol', { class: 'crumbs' });
  const tiles = make('div', { class: 'tiles', role: 'group' });
  const about = make('p', { class: 'about' });
  const keys = 'Arrow keys move between areas, Enter looks into one, Escape goes back up.';
  let root = -1;
  let measure = paths.isOfBoth ? MEASURES.right.of : (place) => paths.bytesOf('right', place);

  // Of a store path the hash says nothing to a reader; the whole path stands below the map.
  const nameOf = (place) => {
    if (place < 0) return '/';
    const isStorePath = /^[0-9a-z]{32}-./.test(paths.names[place]) && paths.pathOf(place).startsWith('/nix/store/');
    return isStorePath ? paths.names[place].slice(33) : paths.names[place];
  };
  const childrenBySize = (place) => paths.childrenOf(place)
    .map((child) => [measure(child), child])
    .filter(([weight]) => weight > 0)
    .sort(([one], [other]) => other - one);

  const describe = (place, weight) => {
    const whole = measure(root);
    const part = whole > 0 ? ` (${((weight / whole) * 100).toFixed(1)} %)` : '';
    const words = [paths.typeOf(place)];
    if (paths.isOfBoth) {
      if (paths.fateOf(place) !== 'unchanged') words.push(paths.fateOf(place));
      words.push(`left ${showValue('bytes', paths.leftOf(place))}, right ${showValue('bytes', paths.rightOf(place))}`);
    }
    if (!paths.isOfBoth && paths.typeOf(place) !== 'directory') words.push(`layer ${paths.layerOf(place)}`);
    if (paths.folded(place) > 0) words.push(`${showCount(paths.folded(place))} small paths not listed`);
    return `${showBytes(weight)}${part}, ${words.join(', ')}`;
  };

  const show = (place, weight) => {
    about.replaceChildren(make('code', {}, paths.pathOf(place)), make('br'), describe(place, weight));
  };

  // The areas below a directory, frames before what is in them.
  const layOut = () => {
    const area = { x: 0, y: 0, width: tiles.clientWidth, height: tiles.clientHeight };
    const laid = [];
    const queue = [{ place: root, area, level: 0, colour: null }];
    while (queue.length > 0) {
      const { place, area: outer, level, colour } = queue.shift();
      const children = childrenBySize(place);
      const weights = children.map(([weight]) => weight);
      const rest = measure(place) - weights.reduce((sum, weight) => sum + weight, 0);
      if (rest > 0 && paths.folded(place) > 0) weights.push(rest);
      squarify(weights, outer).forEach((rectangle, index) => {
        if (rectangle.width < LEAST_SIDE || rectangle.height < LEAST_SIDE || laid.length >= MOST_TILES) return;
        if (index >= children.length) {
          laid.push({ place: null, within: place, weight: rest, rectangle, colour: 'tile-rest', isBranch: false });
          return;
        }
        const [weight, child] = children[index];
        // Of what takes nearly all, the branches are told apart and not itself.
        const first = weight > NEARLY_ALL * measure(place) ? 'tile-rest' : `tile-${index % COLOURS}`;
        const own = paths.isOfBoth ? colourOfFate(child) : colour || first;
        const isBranch = level + 1 < LEVELS && paths.childrenOf(child).length > 0
          && rectangle.width >= LEAST_BRANCH && rectangle.height >= LEAST_BRANCH;
        laid.push({ place: child, weight, rectangle, colour: own, isBranch });
        if (isBranch) {
          const { x, y, width, height } = rectangle;
          const inner = { x: x + 3, y: y + HEADING, width: width - 6, height: height - HEADING - 3 };
          queue.push({ place: child, area: inner, level: level + 1, colour: own === 'tile-rest' ? null : own });
        }
      });
    }
    return laid;
  };

  const drawCrumbs = () => {
    const way = [];
    for (let at = root; at >= 0; at = paths.parents[at]) way.unshift(at);
    const items = [-1, ...way].map((place) => {
      if (place === root) return make('li', { 'aria-current': 'location' }, nameOf(place));
      return make('li', {}, make('button', { type: 'button', onclick: () => zoom(place) }, nameOf(place)));
    });
    crumbs.replaceChildren(...items);
  };

  const makeTile = (tile, index) => {
    const { rectangle, place } = tile;
    const isRest = place === null;
    const name = isRest ? `${showCount(paths.folded(tile.within))} smaller` : nameOf(place);
    const mark = isRest || !paths.isOfBoth ? '' : MARKS[paths.fateOf(place)] || '';
    const button = make('button', {
      type: 'button',
      tabindex: index === 0 ? '0' : '-1',
      class: tile.colour + (tile.isBranch ? ' branch' : ''),
      'aria-label': isRest ? `${name} paths, ${showBytes(tile.weight)}` : `${name}: ${describe(place, tile.weight)}`,
    });
    const percent = (part, whole) => `${(part / whole) * 100}%`;
    button.style.setProperty('left', percent(rectangle.x, tiles.clientWidth));
    button.style.setProperty('top', percent(rectangle.y, tiles.clientHeight));
    button.style.setProperty('width', percent(rectangle.width, tiles.clientWidth));
    button.style.setProperty('height', percent(rectangle.height, tiles.clientHeight));
    if (rectangle.width >= LEAST_LABEL && rectangle.height >= HEADING - 4) {
      button.append(mark + name);
      if (rectangle.width >= 3 * LEAST_LABEL) button.append(make('small', {}, showBytes(tile.weight)));
    } else {
      button.classList.add('bare');
    }
    if (!isRest) {
      const tell = () => show(place, tile.weight);
      button.addEventListener('mouseenter', tell);
      button.addEventListener('focus', tell);
      // A file is no place to go to: its directory is, where that is further in.
      button.addEventListener('click', () => {
        const target = paths.childrenOf(place).length > 0 ? place : paths.parents[place];
        if (target !== root) zoom(target);
        else tell();
      });
    }
    return button;
  };

  const draw = () => {
    const laid = layOut();
    tiles.setAttribute('aria-label', `Map of ${paths.pathOf(root)}, ${showBytes(measure(root))}. ${keys}`);
    tiles.replaceChildren(...laid.map(makeTile));
    drawCrumbs();
    show(root, measure(root));
  };

  const zoom = (place) => {
    const left = root;
    root = place;
    const hadFocus = frame.contains(document.activeElement);
    draw();
    if (!hadFocus) return;
    const back = layOut().findIndex((tile) => tile.place === left);
    (tiles.children[Math.max(back, 0)] || tiles).focus();
  };

  // The nearest area in a direction, by the middle of each.
  const nearest = (from, key) => {
    const middle = (element) => {
      const box = element.getBoundingClientRect();
      return [box.left + Math.min(box.width, 60) / 2, box.top + Math.min(box.height, HEADING) / 2];
    };
    const [fromX, fromY] = middle(from);
    let found = null;
    let least = Infinity;
    for (const tile of tiles.children) {
      const [x, y] = middle(tile);
      const [along, across] = { ArrowRight: [x - fromX, y - fromY], ArrowLeft: [fromX - x, y - fromY],
        ArrowDown: [y - fromY, x - fromX], ArrowUp: [fromY - y, x - fromX] }[key];
      const distance = along + 2 * Math.abs(across);
      if (along > 1 && distance < least) { least = distance; found = tile; }
    }
    return found;
  };

  tiles.addEventListener('keydown', (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const focused = document.activeElement;
    if (event.key.startsWith('Arrow') && tiles.contains(focused)) {
      event.preventDefault();
      const next = nearest(focused, event.key);
      if (next !== null) {
        focused.setAttribute('tabindex', '-1');
        next.setAttribute('tabindex', '0');
        next.focus();
      }
    } else if ((event.key === 'Escape' || event.key === 'Backspace') && root >= 0) {
      event.preventDefault();
      zoom(paths.parents[root]);
    } else if (event.key === 'Home') {
      event.preventDefault();
      zoom(-1);
    }
  });

  if (paths.isOfBoth) {
    MEASURES.difference.of = differences();
    const select = make('select', {}, ...Object.entries(MEASURES).map(([key, { name }]) => make('option', { value: key }, name)));
    select.addEventListener('change', () => {
      measure = MEASURES[select.value].of;
      draw();
    });
    const keysOf = [['added', 'only right'], ['removed', 'only left'], ['changed', 'changed'], ['moved', 'moved'], ['same', 'as before, or both']];
    const legend = keysOf.map(([colour, name]) => make('span', { class: `key tile tile-${colour}` }, name));
    frame.append(make('div', { class: 'tools' }, make('label', {}, 'Areas show the ', select)), make('p', { class: 'legend' }, ...legend));
  }
  frame.append(make('nav', { 'aria-label': 'Place in the map' }, crumbs), tiles, about, make('p', { class: 'note keys' }, keys));
  draw();
  let width = tiles.clientWidth;
  new ResizeObserver(() => {
    if (tiles.clientWidth === width || tiles.contains(document.activeElement)) return;
    width = tiles.clientWidth;
    draw();
  }).observe(tiles);
}

if (paths !== null) document.querySelectorAll('[data-map]').forEach(startMap);
