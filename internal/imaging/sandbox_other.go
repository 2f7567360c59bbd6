//go:build !linux

package imaging

// enterSandbox has nothing to offer elsewhere than on Linux, which is where Kadr is meant to serve strangers.
func enterSandbox() (missing []string) {
	return []string{"sandbox: this system has neither seccomp nor Landlock"}
}
