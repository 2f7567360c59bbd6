/* The whole of libvips that Kadr can reach: start, read a header, make a set of pictures, find where one breaks.
 * Every decision (sizes, shrink, order, formats) is made in Go; this side executes it in one call. */
#ifndef KADR_VIPS_H
#define KADR_VIPS_H

#include <stddef.h>

#define KADR_MAX_OUTPUTS 16
/* A ThumbHash holds seven waves to a side at most: more pixels would only cost time. */
#define KADR_HASH_SIDE 64

/* The last one is no format: what is made in it are the pixels for a placeholder. */
enum { KADR_JPEG = 1, KADR_PNG, KADR_GIF, KADR_WEBP, KADR_AVIF, KADR_HEIC, KADR_TIFF, KADR_PIXELS };

/* How the place of a cut is found. */
enum { KADR_SEEK_NONE, KADR_SEEK_ATTENTION, KADR_SEEK_ENTROPY };

/* What came in: the file's bytes, mapped, and the format that Go found in them. */
typedef struct {
	const void *data;
	size_t length;
	int format;
} KadrSource;

typedef struct {
	int width, height; /* of one frame, as stored */
	int frames, orientation;
	int alpha, profile, interlaced;
} KadrHeader;

/* One picture to make. The steps are taken in the order of the fields. */
typedef struct {
	int from; /* an earlier output: this one is made of its scaled picture; -1: of what was loaded */
	int frame, frames; /* which of the loaded ones; with from, all that that one has */
	int crop_left, crop_top, crop_width, crop_height; /* in pixels as loaded; width 0: all */
	int scaled_width, scaled_height; /* before turning */
	int orientation; /* EXIF, 1 to 8: how to turn it */
	int kept; /* the scaled and turned picture has to be in memory: a later output, or a later step, needs it whole */
	int seek, canvas_left, canvas_top; /* where the canvas begins in the scaled picture; negative: outside of it */
	int canvas_width, canvas_height;
	double blur; /* sigma */
	int opaque; /* to be laid on the background; or else that is transparent */
	unsigned char background[3];
	int format, quality, effort, intermediate;
	int subsampled; /* found out on the way: the source has its colour at half the size, so an intermediate may as well */
	int fd;
	void *data; /* what was made, where it goes to memory and not to fd; to be freed with kadr_free */
	size_t length;
} KadrOutput;

typedef struct {
	KadrSource source;
	int shrink; /* 1, 2, 4 or 8, done by the JPEG or WebP decoder itself */
	int page, frames; /* the first to load, from 0, and how many */
	int used; /* frames that outputs are made of; the others are only decoded, to see that they can be */
	int n_outputs;
	KadrOutput outputs[KADR_MAX_OUTPUTS + 1]; /* one more for the pixels */
	int hash_bands; /* grey, grey and alpha, RGB or RGBA; alpha not multiplied in */
	unsigned char hash_pixels[KADR_HASH_SIDE * KADR_HASH_SIDE * 4];
	char error[512];   /* libvips' own words, for the log only */
	char warning[512]; /* the same, of what it shrugged off */
} KadrJob;

/* All return 0, or -1 with the error in error[512]. */
int kadr_start(const char *name, char *error);
int kadr_header(const KadrSource *source, KadrHeader *header, char *error);
int kadr_run(KadrJob *job);

/* Decodes until it breaks. Returns the first row (in all frames, one below the other) that could not be decoded, with
 * the number of rows in *rows, or -1 when nothing broke; 0 of 0 when not even the header could be read. */
int kadr_locate(const KadrSource *source, int frames, int shrink, int *rows);

/* Gives freed memory back to the system. */
void kadr_trim(void);

void kadr_free(void *data);

const char *kadr_version(void);

#endif
