// Package browsertest drives the pages of a real instance in a real headless Chromium, as people do: with the keyboard,
// the mouse, the file chooser, by drag and drop and by pasting. It holds tests alone.
//
// Whatever story a test tells, its page is watched meanwhile: an exception, an error on the console, a violation of the
// content policy, a dialog of the browser's, a request to anywhere but the instance, or an answer that should not be,
// fails the test.
//
// Chromium is what KADR_CHROMIUM names, or else the one that the machine has under a usual name. A machine without one
// makes the tests fail; they never skip. With `go test -artifacts` they leave a picture of every page that they look at,
// and of where a test failed.
package browsertest
