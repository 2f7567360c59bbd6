// Starts Swagger UI on the contract that this instance serves. Trying operations out uses the browser's own session, or
// whichever key is given.

// What Swagger UI would put into a parameter's field.
const fillings = ['example', 'examples', 'default'];
const empty = (parameter) => fillings.reduce((rest, key) => rest.delete(key).deleteIn(['schema', key]), parameter);

const withExample = (parameter) => {
  const example = parameter.get('example');
  if (example === undefined) return parameter;
  return parameter.delete('example').update('description', (text = '') => `${text}\n\nExample: \`${example}\``);
};

/**
 * Only what an operation needs is filled in with its example. The other parameters start empty, for all of them at once ask
 * for something that nobody means: the second page of a filtered list, only if it has changed.
 */
const parameterRow = (Row, { React }) => (props) => {
  if (props.rawParam.get('required')) return React.createElement(Row, props);
  const { parameterWithMetaByIdentity } = props.specSelectors;
  return React.createElement(Row, {
    ...props,
    param: withExample(props.param),
    specSelectors: { ...props.specSelectors, parameterWithMetaByIdentity: (...which) => empty(parameterWithMetaByIdentity(...which)) },
  });
};

/** A page cannot set a cookie's header, and need not: the browser sends the session by itself. */
const auths = (Auths, { React: { createElement: h } }) => (props) => {
  if (!props.definitions.every((scheme) => scheme.get('in') === 'cookie')) return h(Auths, props);
  return h('div', { className: 'auth-container' },
    h('h4', null, h('code', null, props.definitions.keySeq().join()), ' (cookie)'),
    h('p', null, 'Nothing to fill in here. Whoever is signed in to this instance in this browser is so on this page too: ',
      h('a', { href: '/sign-in?next=%2Fdocs' }, 'sign in'), ', and come back.'));
};

window.SwaggerUIBundle({
  url: '/openapi.yaml',
  dom_id: '#docs',
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  defaultModelsExpandDepth: 0,
  defaultModelExpandDepth: 3,
  validatorUrl: null,
  withCredentials: true,
  plugins: [() => ({ wrapComponents: { parameterRow, auths } })],
});
