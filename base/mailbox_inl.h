// The bodies of Mailbox<T>; include base/mailbox.h. The eventfd changes only under mutex_, together
// with the queue, so it never tells otherwise than the queue.
#pragma once

#include "base/mailbox.h"

#include <utility>

namespace pgwalship {

template <typename T>
bool Mailbox<T>::try_push(T& value) {
  const std::lock_guard lock(mutex_);
  if (closed_ || queue_.size() >= capacity_) {
    return false;
  }
  put(std::move(value));
  return true;
}

template <typename T>
bool Mailbox<T>::push(T value) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || queue_.size() < capacity_; });
  if (closed_) {
    return false;
  }
  put(std::move(value));
  return true;
}

template <typename T>
std::optional<T> Mailbox<T>::try_pop() {
  const std::lock_guard lock(mutex_);
  return take();
}

template <typename T>
std::optional<T> Mailbox<T>::pop() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || !queue_.empty(); });
  return take();
}

template <typename T>
void Mailbox<T>::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

template <typename T>
std::size_t Mailbox<T>::size() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

template <typename T>
void Mailbox<T>::put(T&& value) {
  queue_.push_back(std::move(value));
  if (queue_.size() == 1) {
    signal_eventfd(event_.get());
  }
  changed_.notify_all();
}

template <typename T>
std::optional<T> Mailbox<T>::take() {
  if (queue_.empty()) {
    return std::nullopt;
  }
  std::optional<T> value(std::move(queue_.front()));
  queue_.pop_front();
  if (queue_.empty()) {
    clear_eventfd(event_.get());
  }
  changed_.notify_all();
  return value;
}

}  // namespace pgwalship
