package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

const logoutHelp = `Forgets the address and the key that kadr login has kept.

A key that kadr login made is revoked on the instance as well. One that you gave it is yours, and stays valid: it may be in
use elsewhere.`

func logoutCommand(s Settings) *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "forget what login has kept, and revoke the key that it made", Long: logoutHelp,
		Args:              atMost(0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			kept, err := readLogin(s)
			if err == nil && kept == (login{}) {
				fmt.Fprintln(cmd.ErrOrStderr(), "Nobody is signed in.")
				return nil
			}
			// What cannot be read can still be forgotten.
			forgotten := os.Remove(loginFile(s))
			if err = errors.Join(err, forgotten); err != nil {
				return err
			}
			if kept.Name == "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "Signed out. The key itself stays valid on %s.\n", kept.URL)
				return nil
			}
			if err := kept.revoke(cmd.Context(), s); err != nil {
				return fmt.Errorf("signed out here, but the key is still valid on %s until you revoke it there: %w", kept.URL, err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Signed out of %s. The key is revoked.\n", kept.URL)
			return nil
		},
	}
}

// revoke makes the key worthless. That it is so already is as good.
func (l login) revoke(ctx context.Context, s Settings) error {
	to, err := newInstance(l.URL, l.Key, s, nil)
	if err != nil {
		return err
	}
	_, err = to.DeleteCurrentAPIKeyWithResponse(ctx)
	var no *problem
	if errors.As(err, &no) && no.code == "invalid_api_key" {
		return nil
	}
	return err
}
