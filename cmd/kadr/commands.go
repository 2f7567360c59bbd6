package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kadr-app/kadr/internal/app"
	"github.com/kadr-app/kadr/internal/cli"
	"github.com/kadr-app/kadr/internal/config"
)

const about = `Kadr: self-hosted image hosting.

The settings are environment variables, KADR_…; README.md has the table.`

// command is one of the server's. It reads its arguments by itself.
type command struct {
	name, short string
	help        string   // empty where short says it all
	words       []string // that may come first, for completion; nil for files
	run         func(ctx context.Context, cfg config.Config, log *slog.Logger, args []string) error
	anySettings bool // works with wrong settings too, and says what it can
}

func serverCommands() []command {
	none := []string{}
	return []command{
		{name: "serve", short: "run the server", words: none, run: serve},
		{name: "migrate", short: "bring the database up to date, or say what it lacks", words: []string{"up", "status"}, run: migrate},
		{name: "doctor", short: "compare database and storage: --deep re-hashes, --repair mends", help: doctorUsage, words: []string{"--deep", "--repair"}, run: examine},
		{name: "backup", short: "write everything to a folder or standard output, while the server runs", help: backupUsage, run: back},
		{name: "restore", short: "bring an instance back from a backup", help: restoreUsage, run: restore},
		{
			name: "admin", short: "look after accounts", help: adminUsage, run: admin,
			words: []string{"list", "create", "password", "role", "quota", "invite", "signing-key"},
		},
		{name: "healthcheck", short: "ask the server on this machine whether it is ready, for containers", words: none, run: healthcheck, anySettings: true},
		{name: "version", short: "say which version this is", words: none, run: printVersion, anySettings: true},
	}
}

// newRoot returns the whole command line.
func newRoot() (*cobra.Command, error) {
	const ofServer, ofPeople = "server", "people"
	root := &cobra.Command{
		Use: "kadr", Long: about, SilenceErrors: true, SilenceUsage: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return errUsage(fmt.Sprintf("There is no command %q.\n\n%s", args[0], cmd.UsageString()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return errUsage(about + "\n\n" + cmd.UsageString()) },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return cli.Usagef("%w\nkadr help %s lists the flags.", err, cmd.Name())
	})
	root.AddGroup(&cobra.Group{ID: ofPeople, Title: "From anywhere:"}, &cobra.Group{ID: ofServer, Title: "On the server:"})
	for _, c := range serverCommands() {
		cmd := c.cobra()
		cmd.GroupID = ofServer
		root.AddCommand(cmd)
	}
	settings, err := config.LoadClient()
	if err != nil {
		return nil, err
	}
	for _, cmd := range cli.Commands(cli.Settings{URL: settings.URL, APIKey: settings.APIKey, Dir: settings.Dir, Version: version}) {
		cmd.GroupID = ofPeople
		root.AddCommand(cmd)
	}
	root.SetCompletionCommandGroupID(ofPeople)
	root.SetHelpCommandGroupID(ofPeople)
	return root, nil
}

func (c command) cobra() *cobra.Command {
	cmd := &cobra.Command{
		Use: c.name, Short: c.short, DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && slices.Contains([]string{"help", "--help", "-h"}, args[0]) {
				return cmd.Help()
			}
			cfg, err := config.Load()
			if err != nil && !c.anySettings {
				return errUsage(fmt.Sprintf("kadr: wrong settings:\n%v", err))
			}
			return c.run(cmd.Context(), cfg, app.NewLog(cfg, cmd.ErrOrStderr()), args)
		},
	}
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		fmt.Fprintln(cmd.OutOrStdout(), cmp.Or(c.help, fmt.Sprintf("Usage: kadr %s\n\n  %s", c.name, c.short)))
	})
	if c.words != nil {
		cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return c.words, cobra.ShellCompDirectiveNoFileComp
		}
	}
	return cmd
}
