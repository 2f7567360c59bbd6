/* What the C files of this package share with each other and not with Go. */
#ifndef KADR_INTERNAL_H
#define KADR_INTERNAL_H

#include "vips.h"

#include <string.h>
#include <vips/vips.h>

/* Functions that return int return 0, or -1 with libvips' error set. What they make on the way hangs on the context. */

/* load.c: frames from the given one on, one below the other; 0 frames: what the loader takes for the picture. */
int kadr_load(const KadrSource *from, int shrink, int page, int frames, VipsImage **out);

/* Decodes the rows from the given one on, keeping none. Returns the first that fails, or -1. */
int kadr_scan(VipsImage *in, int from);

/* steps.c: each does one thing to one frame, or to any picture. */
int kadr_resize(VipsObject *context, VipsImage *in, int width, int height, VipsImage **out);
int kadr_to_srgb(VipsObject *context, VipsImage *in, VipsImage **out);
int kadr_orient(VipsObject *context, VipsImage *in, int orientation, VipsImage **out);
int kadr_seek(VipsObject *context, VipsImage *in, const KadrOutput *output, int *left, int *top);
int kadr_place(VipsObject *context, VipsImage *in, const KadrOutput *output, VipsImage **out);
int kadr_flatten(VipsObject *context, VipsImage *in, const KadrOutput *output, VipsImage **out);
int kadr_blur(VipsObject *context, VipsImage *in, double sigma, VipsImage **out);

/* run.c: everything that a job asks for. */
int kadr_make(KadrJob *job);

/* save.c */
int kadr_save(VipsObject *context, VipsImage *in, KadrOutput *output);

#endif
