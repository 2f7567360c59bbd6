/* The whole of libvips that Kadr can reach: start, read a header, make a set of pictures, find where one breaks.
 * Every decision (sizes, shrink, order, formats) is made in Go; this side executes it in one call. */
#ifndef KADR_VIPS_H
#define KADR_VIPS_H

#include <stddef.h>

#define KADR_MAX_OUTPUTS 16
/* A ThumbHash holds seven waves to a side at most: more pixels would only cost time. */
#define KADR_HASH_SIDE 64

enum { KADR_JPEG = 1, KADR_PNG, KADR_GIF, KADR_WEBP };

/* What came in: the file's bytes, mapped, and the format that Go found in them. */
typedef struct {
	const void *data;
	size_t length;
	int format;
} KadrSource;

typedef struct {
	int width, height; /* of one frame, as stored */
	int frames;
	int alpha, profile, interlaced;
} KadrHeader;

/* One picture to write. Sizes are as displayed. Outputs come in descending size: each is made from the one before. */
typedef struct {
	int width, height;
	int format, quality, effort;
	int fd;
	void *data; /* what was made, where it goes to memory and not to fd; to be freed with kadr_free */
	size_t length;
} KadrOutput;

typedef struct {
	KadrSource source;
	int frames;      /* how many to decode; all but the first only to see that they decode */
	int shrink;      /* 1, 2, 4 or 8, done by the JPEG or WebP decoder itself */
	int orientation; /* EXIF, 1 to 8 */
	int base_width, base_height; /* the largest picture wanted, in the stored orientation */
	int n_outputs;
	KadrOutput outputs[KADR_MAX_OUTPUTS];
	int hash_width, hash_height; /* 0: no pixels for a placeholder */
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
