// The names of a process's threads, as `top -H` and `ps -L -o comm` show them.

#pragma once

#include <pthread.h>

namespace gw {

// Of the calling thread; up to 15 characters.
inline void NameThread(const char* name) { pthread_setname_np(pthread_self(), name); }

}  // namespace gw
