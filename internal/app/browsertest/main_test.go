package browsertest_test

import (
	"os"
	"testing"

	"github.com/kadr-app/kadr/internal/imaging"
)

func TestMain(m *testing.M) {
	imaging.DecoderMain() // the instances start their decoders from this binary
	os.Exit(m.Run())
}

// TestPages is all of the package's tests, so that they share a browser, which takes a second to start, without a
// variable to hold it.
func TestPages(t *testing.T) {
	t.Parallel()
	c := startChromium(t)
	for name, story := range map[string]func(*testing.T, *chromium){
		"FirstVisit":         testFirstVisit,
		"UploadWays":         testUploadWays,
		"UploadFolders":      testUploadFolders,
		"UploadRefused":      testUploadRefused,
		"UploadInParts":      testUploadInParts,
		"UploadSession":      testUploadSession,
		"UploadMany":         testUploadMany,
		"NastyNames":         testNastyNames,
		"PicturePage":        testPicturePage,
		"PictureShapes":      testPictureShapes,
		"PictureEdit":        testPictureEdit,
		"PictureDelete":      testPictureDelete,
		"ViewerNeighbours":   testViewerNeighbours,
		"ViewerZoom":         testViewerZoom,
		"CopyAs":             testCopyAs,
		"MissingPictures":    testMissingPictures,
		"Register":           testRegister,
		"SignIn":             testSignIn,
		"TooManyAttempts":    testTooManyAttempts,
		"Invitation":         testInvitation,
		"RegistrationClosed": testRegistrationClosed,
		"SessionEnded":       testSessionEnded,
		"SomebodyElse":       testSomebodyElse,
		"DialogCancelled":    testDialogCancelled,
		"Profile":            testProfile,
		"ChangedElsewhere":   testChangedElsewhere,
		"UploadSettings":     testUploadSettings,
		"Security":           testSecurity,
		"Keys":               testKeys,
		"Sections":           testSections,
		"SettingsFail":       testSettingsFail,
		"DeleteAccount":      testDeleteAccount,
		"Integrations":       testIntegrations,
		"Documentation":      testDocumentation,
		"TryItOut":           testTryItOut,
		"PagesElsewhere":     testPagesElsewhere,
		"PagesOfAStranger":   testPagesOfAStranger,
		"WatchSees":          testWatchSees,
		"Grid":               testGrid,
		"Selection":          testSelection,
		"MyPictures":         testMyPictures,
		"PersonPage":         testPersonPage,
		"Harness":            testHarness,
		"HostileTexts":       testHostileTexts,
		"Install":            testInstall,
		"Weight":             testWeight,
		"EveryPage":          testEveryPage,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, c)
		})
	}
}
