// JavaScript as the pages and the contract's tooling are written: faults only. How it looks is .editorconfig's, and
// whether the types fit is tsc's (tsconfig.json).
import js from '@eslint/js';
import globals from 'globals';

export default [
  { ignores: ['**/node_modules/'] },
  js.configs.recommended,
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: { ecmaVersion: 2023, sourceType: 'module' },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      curly: ['error', 'multi-line'],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      'no-implicit-globals': 'error',
      'no-unused-vars': ['error', { args: 'after-used', caughtErrors: 'all' }],
      'no-var': 'error',
      'prefer-const': 'error',
      'no-eval': 'error',
      'no-implied-eval': 'error',
      'no-new-func': 'error',
      // The pages escape by the html tag; these get round it, and the pages' policy forbids them anyway.
      'no-script-url': 'error',
      'no-restricted-properties': [
        'error',
        { object: 'document', property: 'write', message: 'Build elements by the html tag.' },
      ],
    },
  },
  { files: ['static/**'], languageOptions: { globals: globals.browser } },
  {
    files: ['api/**', '**/*.test.js', '**/*.test.mjs'],
    languageOptions: { globals: globals.node },
    rules: { 'no-console': 'off' },
  },
];
