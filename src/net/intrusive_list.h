// A circular doubly linked list whose links live in its elements: linking and unlinking cost no
// allocation, and an element can leave whatever list it is in without knowing which.

#pragma once

namespace gw::internal {

struct ListNode {
  ListNode* prev = nullptr;
  ListNode* next = nullptr;

  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;

  bool linked() const { return next != nullptr; }

  void Unlink() {
    prev->next = next;
    next->prev = prev;
    prev = next = nullptr;
  }
};

// The head of a list. Does not own its elements; must be empty when it is destroyed or the elements
// must never be touched again.
struct ListHead : ListNode {
  ListHead() { prev = next = this; }

  bool empty() const { return next == this; }

  // REQUIRES: !node->linked()
  void PushBack(ListNode* node) {
    node->prev = prev;
    node->next = this;
    prev->next = node;
    prev = node;
  }

  ListNode* PopFront() {
    ListNode* node = next;
    node->Unlink();
    return node;
  }

  // Moves all elements of `other` to the end of this list.
  void TakeAll(ListHead* other) {
    if (other->empty()) return;
    other->next->prev = prev;
    prev->next = other->next;
    other->prev->next = this;
    prev = other->prev;
    other->prev = other->next = other;
  }
};

}  // namespace gw::internal
