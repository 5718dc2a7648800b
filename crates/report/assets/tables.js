'use strict';

// Tables that are sorted by their headings and filtered by words.

const FIRST_ROWS = 50;
const MORE_ROWS = 500;
// A table that is seen at a glance needs no filter.
const SHORT = 8;

// The rows of the table of files, read from the columns of the tree.
function pathSource(table) {
  const isTold = (place) => {
    const fate = paths.fateOf(place);
    if (fate === 'unchanged' || fate === 'moved away') return false;
    return paths.typeOf(place) !== 'directory' || (fate !== 'added' && fate !== 'removed');
  };
  const places = [];
  for (let place = 0; place < paths.names.length; place += 1) {
    if (paths.isOfBoth ? isTold(place) : paths.typeOf(place) !== 'directory') places.push(place);
  }
  // A directory tells of itself here, not of what is below it.
  const own = (bytes, place) => (bytes === null || paths.typeOf(place) !== 'directory' ? bytes : 0);
  const left = (place) => {
    const from = paths.movedFrom.get(place);
    return own(from === undefined ? paths.leftOf(place) : paths.leftOf(from), place);
  };
  const right = (place) => own(paths.rightOf(place), place);
  const from = (place) => {
    const old = paths.movedFrom.get(place);
    return old === undefined ? null : paths.pathOf(old);
  };
  const columns = paths.isOfBoth
    ? [(place) => (right(place) || 0) - (left(place) || 0), paths.fateOf, left, right, paths.pathOf, from]
    : [paths.rightOf, ...(paths.hasLayers ? [paths.layerOf] : []), paths.typeOf, paths.pathOf];
  return { columns: table.columns, length: places.length, get: (column, row) => columns[column](places[row]) };
}

function ownSource(table) {
  return {
    columns: table.columns,
    length: table.values.length === 0 ? 0 : table.values[0].length,
    get: (column, row) => table.values[column][row],
  };
}

// The rows in the order of a column; what is not known comes last, equals stay as they are.
function sortRows(source, rows, column, direction) {
  const kind = source.columns[column][1];
  const keyOf = (row) => {
    const value = source.get(column, row);
    return kind === 'delta' && value !== null ? Math.abs(value) : value;
  };
  const keyed = rows.map((row) => [keyOf(row), row]);
  const sign = direction === 'ascending' ? 1 : -1;
  keyed.sort(([one, oneRow], [other, otherRow]) => {
    if (one === null || other === null) return (one === null) - (other === null) || oneRow - otherRow;
    if (one === other) return oneRow - otherRow;
    return (one < other ? -1 : 1) * sign;
  });
  return keyed.map(([, row]) => row);
}

function isWords(kind) {
  return kind === 'text' || kind === 'code';
}

// Rows in which every word stands somewhere.
function filterRows(source, words) {
  const columns = source.columns.map(([, kind], column) => (isWords(kind) ? column : -1)).filter((column) => column >= 0);
  const rows = [];
  for (let row = 0; row < source.length; row += 1) {
    const text = columns.map((column) => source.get(column, row) || '').join('\n').toLowerCase();
    if (words.every((word) => text.includes(word))) rows.push(row);
  }
  return rows;
}

function makeCell(kind, value) {
  const text = showValue(kind, value);
  if (kind === 'code' && value !== null) return make('td', { class: 'code' }, make('code', {}, text));
  if (isWords(kind)) return make('td', { class: kind }, text);
  const isDelta = kind === 'delta' && value;
  const sign = isDelta ? (value > 0 ? ' more' : ' less') : '';
  const exact = kind !== 'count' && value !== null ? `${showCount(value)} bytes` : null;
  return make('td', { class: 'number' + sign, title: exact }, text);
}

function enliven(frame) {
  const table = data.tables[frame.dataset.table];
  const source = table.paths ? pathSource(table) : ownSource(table);
  const body = frame.querySelector('tbody');
  const headings = [...frame.querySelectorAll('thead th')];
  const status = frame.querySelector('.rows');
  let rows = filterRows(source, []);
  let order = table.order;
  let shown = FIRST_ROWS;

  const draw = () => {
    const fragment = document.createDocumentFragment();
    rows.slice(0, shown).forEach((row) => {
      fragment.append(make('tr', {}, ...source.columns.map(([, kind], column) => makeCell(kind, source.get(column, row)))));
    });
    body.replaceChildren(fragment);
    headings.forEach((heading, column) => {
      if (order !== null && order[0] === column) heading.setAttribute('aria-sort', order[1]);
      else heading.removeAttribute('aria-sort');
    });
    tell();
  };
  const tell = () => {
    if (source.length <= SHORT && rows.length === source.length && table.count <= source.length) {
      status.replaceChildren();
      return;
    }
    const visible = Math.min(shown, rows.length);
    const all = source.length === rows.length ? '' : `, of ${showCount(source.length)}`;
    const few = visible < rows.length ? `The first ${showCount(visible)} of ` : '';
    const rest = table.count > source.length ? `; ${showCount(table.count - source.length)} more are not in this file` : '';
    status.replaceChildren(`${few}${showCount(rows.length)} ${rows.length === 1 ? 'row' : 'rows'}${all}${rest}. `);
    if (visible < rows.length) {
      const more = Math.min(MORE_ROWS, rows.length - visible);
      status.append(make('button', { type: 'button', onclick: () => { shown += MORE_ROWS; draw(); } }, `Show ${showCount(more)} more`));
    }
  };
  const arrange = () => {
    rows = order === null ? [...rows].sort((one, other) => one - other) : sortRows(source, rows, order[0], order[1]);
    shown = FIRST_ROWS;
    draw();
  };

  headings.forEach((heading, column) => {
    const name = heading.textContent;
    const choose = () => {
      const first = isWords(source.columns[column][1]) ? 'ascending' : 'descending';
      const other = first === 'ascending' ? 'descending' : 'ascending';
      order = [column, order !== null && order[0] === column && order[1] === first ? other : first];
      arrange();
    };
    if (name !== '') heading.replaceChildren(make('button', { type: 'button', onclick: choose }, name));
  });
  if (source.length > SHORT) {
    const input = make('input', { type: 'search', autocomplete: 'off', spellcheck: 'false' });
    input.addEventListener('input', () => {
      rows = filterRows(source, input.value.toLowerCase().split(/\s+/).filter((word) => word !== ''));
      arrange();
    });
    frame.prepend(make('div', { class: 'tools' }, make('label', {}, 'Filter ', input)));
  }
  arrange();
}

document.querySelectorAll('[data-table]').forEach(enliven);
