/** The catalogues: complete, alike in every language, and nothing in them that no page says. */

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import test from 'node:test';

const root = new URL('..', import.meta.url);

/** All the texts of a value: its own, or one for each plural category. */
const forms = (value) => (typeof value === 'string' ? [value] : Object.values(value));

/** The names in braces that a value has somewhere. The form for one may leave the number out. */
const placeholders = (value) => [...new Set(forms(value).flatMap((text) => text.match(/\{\w+\}/g) ?? []))].sort().join(' ');

/** What is wrong with a catalogue by itself. */
function faultsOf(language, catalogue) {
  const { pluralCategories } = new Intl.PluralRules(language).resolvedOptions();
  return Object.entries(catalogue).flatMap(([key, value]) => {
    const faults = [];
    if (!/^[a-z][\w-]*(\.[\w:-]+)+$/i.test(key)) faults.push('is not of the form section.name');
    if (forms(value).some((text) => typeof text !== 'string' || text.trim() === '')) faults.push('is empty');
    if (typeof value === 'object' && Object.keys(value).sort().join() !== [...pluralCategories].sort().join()) {
      faults.push(`has the plural forms ${Object.keys(value)}, not ${pluralCategories}`);
    }
    return faults.map((fault) => `${language}: ${key} ${fault}`);
  });
}

/** How one catalogue differs from another of the same texts. */
function differences(a, b) {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) => {
    if (!(key in a) || !(key in b)) return [`${key} is in one language only`];
    if (typeof a[key] !== typeof b[key]) return [`${key} has plural forms in one language only`];
    return placeholders(a[key]) === placeholders(b[key]) ? [] : [`${key} has ${placeholders(a[key])} and ${placeholders(b[key])}`];
  });
}

/** The first argument of every call of t: up to the comma or bracket that ends it. */
function* firstArguments(code) {
  for (const { index } of code.matchAll(/(?<![\w.$])t\(/g)) {
    let depth = 0;
    let quote = '';
    let end = index + 2;
    for (; end < code.length; end++) {
      const c = code[end];
      if (quote) {
        if (c === quote) quote = '';
      } else if ('\'"`'.includes(c)) quote = c;
      else if ('([{'.includes(c)) depth++;
      else if (')]}'.includes(c) && depth-- === 0) break;
      else if (c === ',' && depth === 0) break;
    }
    yield code.slice(index + 2, end);
  }
}

/** Patterns of the keys that calls of t ask for: whole ones, and templates with something in the middle. */
function asked(code) {
  return [...firstArguments(code)].flatMap((argument) => [...argument.matchAll(/'([^']*)'|"([^"]*)"|`([^`]*)`/g)])
    .map(([, single, double, template]) => single ?? double ?? template)
    .filter((key) => key.includes('.'))
    .map((key) => new RegExp(`^${key.split(/\$\{[^}]*\}/).map((part) => part.replace(/\./g, '\\.')).join('[\\w.:-]+')}$`));
}

/** What the code asks for in vain, and what it never says. A key in quotes anywhere counts as said. */
function unused(keys, code) {
  const patterns = asked(code);
  return [
    ...patterns.filter((pattern) => !keys.some((key) => pattern.test(key))).map((pattern) => `${pattern.source} is asked for, but is not there`),
    ...keys.filter((key) => ![`'${key}'`, `"${key}"`].some((text) => code.includes(text)) && !patterns.some((pattern) => pattern.test(key)))
      .map((key) => `${key} is never used`),
  ];
}

const read = (path) => readFileSync(new URL(path, root), 'utf8');
const files = readdirSync(root, { recursive: true }).filter((path) => /(?<!\.test)\.(js|html)$/.test(path)).sort();
const catalogues = () => ['en', 'ru'].map((language) => JSON.parse(read(`locales/${language}.json`)));

test('each catalogue has whole texts in all the plural forms of its language', () => {
  const [en, ru] = catalogues();
  assert.ok(Object.keys(en).length > 50);
  assert.deepEqual([...faultsOf('en', en), ...faultsOf('ru', ru)], []);
});

test('both say the same, with the same placeholders', () => {
  assert.deepEqual(differences(...catalogues()), []);
});

test('no key is named twice', () => {
  for (const language of ['en', 'ru']) {
    const keys = [...read(`locales/${language}.json`).matchAll(/^ {2}"([^"]+)":/gm)].map(([, key]) => key);
    assert.equal(keys.length, Object.keys(JSON.parse(read(`locales/${language}.json`))).length, 'a key on each line, by two spaces');
    assert.deepEqual(keys.filter((key, i) => keys.indexOf(key) !== i), []);
  }
});

test('the pages ask for what is there, and for all of it', () => {
  assert.deepEqual(unused(Object.keys(catalogues()[0]), files.map(read).join('\n')), []);
});

test('faults are found', () => {
  assert.deepEqual(faultsOf('ru', { 'a.n': { one: '{n} снимок', few: '{n} снимка', many: '{n} снимков', other: '{n} снимка' } }), []);
  assert.deepEqual(faultsOf('ru', { 'a.n': { one: 'x', other: 'y' }, b: 'z', 'a.c': ' ' }).length, 3);
  assert.deepEqual(faultsOf('en', { 'a.n': { one: 'x', few: 'y', other: 'z' } }).length, 1);
  assert.deepEqual(differences({ 'a.a': 'To {name}', 'a.n': { one: 'one', other: '{n}' } },
    { 'a.a': 'Для {name}', 'a.n': { one: '{n}', few: '{n}', many: '{n}', other: '{n}' } }), []);
  assert.deepEqual(differences({ 'a.a': '{name}', 'a.b': 'b', 'a.c': 'c' }, { 'a.a': '{Name}', 'a.b': { other: 'b' }, 'a.d': 'd' }).length, 4);
  const code = "t('a.a'); t(open ? 'a.b' : \"a.c\", { n: f('no.key') }); t(`state.${of(x)}`); const later = 'a.d'; part('a.z'); wait.t('a.y')";
  assert.deepEqual(unused(['a.a', 'a.b', 'a.c', 'a.d', 'state.done'], code), []);
  assert.deepEqual(unused(['a.a', 'a.b', 'a.d', 'a.e'], code),
    ['^a\\.c$ is asked for, but is not there', '^state\\.[\\w.:-]+$ is asked for, but is not there', 'a.e is never used']);
});
