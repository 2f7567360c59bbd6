// Package devtest tries what a developer works with: `make dev`, on a copy of the repository, which it changes, and what
// `make breaking` finds in the history of one that it makes.
//
// It has no code of its own but tests. They are apart from the others since they take the repository's files and tools, and
// no package of Kadr's.
package devtest
